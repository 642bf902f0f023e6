//! `belay job watch`: progress and new output, until the job has ended.

use std::io::Write as _;
use std::time::Duration;

use belay_core::model::{Job, OutputView, ProgressView};
use belay_core::{Db, JobState, query};
use clap::Args;

use super::get::words;
use super::wait::{Deadline, until_end};
use super::{Context, Target, tenant_number};
use crate::config::parse_duration;
use crate::exit::{Exit, Failure};
use crate::show::{Out, note, plain};
use crate::wire;

#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    target: Target,
    /// The longest to watch, for example "10m"; for ever when not given
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

impl Watch {
    pub(super) fn run(&self, context: &mut Context) -> Result<Exit, Failure> {
        let db = context.db()?;
        let tenant = tenant_number(&db, self.target.tenant.as_deref())?;
        let id = db
            .read(|conn| query::get(conn, tenant, &self.target.id))?
            .id;
        let mut seen = Seen::default();
        let deadline = Deadline::after(self.timeout);
        let ended = until_end(&db, id, deadline, |job| {
            seen.show(&db, job, &mut context.out)
        })?;
        match ended {
            Some(job) => Ok(Exit::of_state(job.state)),
            None => Err(Failure::new(
                Exit::TimedOut,
                format!("job {id} has not ended yet"),
            )),
        }
    }
}

/// What has been shown.
#[derive(Debug, Default)]
struct Seen {
    state: Option<(JobState, i16)>,
    progress: Option<ProgressView>,
    stdout: Tail,
    stderr: Tail,
}

impl Seen {
    fn show(&mut self, db: &Db, job: &Job, out: &mut Out) -> Result<(), Failure> {
        // Read after the job: when it has ended, all of its output has been written.
        let read = db.read(|conn| {
            Ok((
                query::progress(conn, job.id)?,
                query::outputs(conn, job.id)?,
            ))
        });
        let (progress, outputs) = match read {
            Ok(found) => found,
            // The next look at the job tells what is wrong with the database.
            Err(error) if error.is_transient() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let state = (job.state, job.attempt);
        let news = self.state != Some(state) || self.progress != progress;
        if out.is_json() {
            if news {
                out.json(&wire::Job::new(job, progress.as_ref()), true)?;
            }
        } else {
            self.show_words(job, progress.as_ref(), outputs.last(), out)?;
        }
        self.state = Some(state);
        self.progress = progress;
        Ok(())
    }

    fn show_words(
        &mut self,
        job: &Job,
        progress: Option<&ProgressView>,
        output: Option<&OutputView>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        // The end of a job is announced after its last words.
        if !job.state.is_terminal() {
            self.show_state(job)?;
        }
        if let Some(progress) = progress.filter(|p| self.progress.as_ref() != Some(*p)) {
            note(format!("belay: progress {}", plain(&words(progress))));
        }
        if let Some(output) = output {
            let part = self
                .stdout
                .news(output.attempt, &output.stdout, output.stdout_bytes);
            out.raw(&part)?;
            let part = self
                .stderr
                .news(output.attempt, &output.stderr, output.stderr_bytes);
            let _ = write!(std::io::stderr(), "{part}");
        }
        if job.state.is_terminal() {
            self.show_state(job)?;
        }
        Ok(())
    }

    fn show_state(&self, job: &Job) -> Result<(), Failure> {
        if self.state == Some((job.state, job.attempt)) {
            return Ok(());
        }
        let error = match (&job.last_error, job.state) {
            (Some(error), JobState::Failed | JobState::Scheduled | JobState::Queued) => {
                format!(": {}", plain(error))
            }
            _ => String::new(),
        };
        note(format!(
            "belay: job {} is {} (attempt {} of {}){error}",
            job.id, job.state, job.attempt, job.max_attempts
        ));
        Ok(())
    }
}

/// The end of a stream, as last seen.
#[derive(Debug, Default)]
struct Tail {
    attempt: i16,
    text: String,
    bytes: i64,
}

impl Tail {
    /// What has come since the last look. Only the end of a stream is kept, so part of it may have gone by unseen.
    fn news(&mut self, attempt: i16, text: &str, bytes: i64) -> String {
        if attempt != self.attempt {
            *self = Self {
                attempt,
                ..Self::default()
            };
        }
        let fresh = if let Some(rest) = text.strip_prefix(self.text.as_str()) {
            rest.to_owned()
        } else {
            // The window has moved on. Bytes that were no text count differently as text; that only shifts this cut.
            let new = usize::try_from(bytes - self.bytes).unwrap_or(0);
            let mut cut = text.len().saturating_sub(new);
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            let gap = if new > text.len() { "[...]\n" } else { "" };
            format!("{gap}{}", text.get(cut..).unwrap_or_default())
        };
        text.clone_into(&mut self.text);
        self.bytes = bytes;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    #[test]
    fn output_is_shown_once() {
        let mut tail = Tail::default();
        assert_eq!(tail.news(1, "one\n", 4), "one\n");
        assert_eq!(tail.news(1, "one\n", 4), "");
        assert_eq!(tail.news(1, "one\ntwo\n", 8), "two\n");
        // The window is eight bytes long from here on.
        assert_eq!(tail.news(1, "two\nsix\n", 12), "six\n");
        assert_eq!(tail.news(1, "fifteen\n", 100), "[...]\nfifteen\n");
        assert_eq!(tail.news(2, "again\n", 6), "again\n");
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        let mut tail = Tail::default();
        assert_eq!(tail.news(1, "ab", 2), "ab");
        assert_eq!(tail.news(1, "éb", 4), "éb");
    }
}
