//! Writes what attempts have shown: once per heartbeat while they run, and for the last time before their report, because
//! nothing can be added to a job that has ended.

use belay_core::ops::{self, OutputRow, ProgressRow};
use belay_core::{Error, Result, Session};

use super::item::Batch;
use crate::attempt::{HeldJob, Unsaved};

/// Most text in one statement, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Rows to be written, of one registration.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    outputs: Vec<OutputRow>,
    progress: Vec<ProgressRow>,
}

impl Rows {
    pub(crate) fn add(&mut self, job: &HeldJob, unsaved: &Unsaved) {
        let (id, fence) = job.key;
        if let Some(output) = &unsaved.output {
            self.outputs.push(OutputRow {
                job: id,
                fence,
                attempt: job.attempt,
                stdout: output.stdout.clone(),
                stderr: output.stderr.clone(),
                stdout_bytes: output.stdout_bytes,
                stderr_bytes: output.stderr_bytes,
                exit_code: output.exit_code,
                signal: output.signal,
                ran_ms: output
                    .ran
                    .map(|ran| i64::try_from(ran.as_millis()).unwrap_or(i64::MAX)),
            });
        }
        if let Some(progress) = &unsaved.progress {
            self.progress.push(ProgressRow {
                job: id,
                fence,
                attempt: job.attempt,
                done: progress.done,
                total: progress.total,
                message: progress.message.clone(),
            });
        }
    }

    /// Writes them, in pieces of a bounded size.
    ///
    /// # Errors
    /// Those of the database; a part may have been written.
    pub(crate) fn write(&self, session: &mut Session, worker: i64) -> Result<()> {
        let mut rest = self.outputs.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(how_many(rest));
            session.run(|conn| ops::save_output(conn, worker, now))?;
            rest = later;
        }
        session.run(|conn| ops::save_progress(conn, worker, &self.progress))
    }
}

/// How many of these rows go in one statement, at least one.
fn how_many(rows: &[OutputRow]) -> usize {
    let mut bytes = 0;
    let fitting = rows
        .iter()
        .take_while(|row| {
            bytes += row.stdout.len() + row.stderr.len();
            bytes <= MAX_BYTES
        })
        .count();
    fitting.max(1)
}

/// Writes what the attempts of a batch have shown last.
///
/// # Errors
/// Those of a lost or busy database. If the database cannot hold it, it is dropped: the report must go out.
pub(crate) fn last_words(session: &mut Session, batch: &Batch) -> Result<()> {
    let mut rows = Rows::default();
    let mut taken = Vec::new();
    for job in batch.items.iter().filter_map(|item| item.job.as_ref()) {
        if let Some(unsaved) = job.shown.take() {
            rows.add(job, &unsaved);
            taken.push((job, unsaved));
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    match rows.write(session, batch.registration.id) {
        Err(error @ (Error::Unreachable(_) | Error::Busy(_))) => {
            for (job, unsaved) in taken {
                job.shown.give_back(unsaved);
            }
            Err(error)
        }
        Err(error) => {
            tracing::error!(%error, jobs = taken.len(), "the last output of some jobs could not be written and is lost");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bytes: usize) -> OutputRow {
        OutputRow {
            job: 1,
            fence: 1,
            attempt: 1,
            stdout: "x".repeat(bytes),
            stderr: String::new(),
            stdout_bytes: 0,
            stderr_bytes: 0,
            exit_code: None,
            ran_ms: None,
            signal: None,
        }
    }

    #[test]
    fn statements_are_bounded_but_never_empty() {
        assert_eq!(how_many(&[row(1), row(MAX_BYTES - 1), row(1)]), 2);
        assert_eq!(how_many(&[row(MAX_BYTES + 1), row(1)]), 1);
    }
}
