//! Reports of remote workers. Locks the reported jobs that the worker still holds under that fence, waiting, in ascending id
//! order; then writes what the attempts have shown and settles them, in later statements of the same transaction.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text};

use crate::backoff::Backoff;
use crate::error::Result;
use crate::ops::{
    self, OutputRow, ProgressRow, Rung, Settled, Verdict, save_output, save_progress, settle,
};
use crate::stmt::stmt;

/// What a remote worker says of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The job.
    pub id: i64,
    /// The fence it was claimed with.
    pub fence: i32,
    /// What happened.
    pub said: Said,
    /// The last part of what the attempt wrote.
    pub output: Option<Output>,
}

/// What happened to an attempt, in the words of a remote worker.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// It worked.
    Completed,
    /// It failed.
    Failed {
        /// Why, for the reader of the job.
        error: String,
        /// Whether another attempt may be made.
        retry: bool,
        /// Seconds until then; `None` for what the kind says.
        delay_s: Option<f64>,
        /// Set when its time was over: what it took to stop it.
        timed_out: Option<Rung>,
    },
    /// It was stopped, and nothing of it is left running.
    Cancelled {
        /// What it took.
        rung: Rung,
    },
    /// It asks to be run again later, without using up an attempt.
    Snoozed {
        /// Seconds to wait.
        delay_s: f64,
    },
}

/// What an attempt wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// Last part of standard output.
    pub stdout: String,
    /// Last part of standard error.
    pub stderr: String,
    /// Bytes of standard output in all.
    pub stdout_bytes: i64,
    /// Bytes of standard error in all.
    pub stderr_bytes: i64,
    /// Exit code, once known.
    pub exit_code: Option<i32>,
    /// Signal that ended it, once known.
    pub signal: Option<i32>,
}

impl Output {
    /// As it is kept, for an attempt at a job that is held under that fence.
    pub(super) fn row(&self, job: i64, fence: i32, attempt: i16) -> OutputRow {
        OutputRow {
            job,
            fence,
            attempt,
            stdout: self.stdout.clone(),
            stderr: self.stderr.clone(),
            stdout_bytes: self.stdout_bytes,
            stderr_bytes: self.stderr_bytes,
            exit_code: self.exit_code,
            signal: self.signal,
            ran_ms: None,
        }
    }
}

impl Said {
    /// The same for [`settle`]. `backoff` is what the kind says, as JSON text.
    pub(super) fn verdict(&self, attempt: i16, backoff: Option<&str>) -> Verdict {
        match self {
            Self::Completed => Verdict::Completed,
            Self::Failed {
                error,
                retry,
                delay_s,
                timed_out,
            } => {
                let delay_s = delay_s.unwrap_or_else(|| {
                    // What cannot be read was written by a newer version.
                    backoff
                        .and_then(|text| serde_json::from_str::<Backoff>(text).ok())
                        .unwrap_or_default()
                        .draw(attempt)
                        .as_secs_f64()
                });
                let (error, retry) = (error.clone(), *retry);
                match *timed_out {
                    Some(rung) => Verdict::TimedOut {
                        error,
                        delay_s,
                        retry,
                        rung,
                    },
                    None => Verdict::Failed {
                        error,
                        delay_s,
                        retry,
                    },
                }
            }
            Self::Cancelled { rung } => Verdict::Stopped {
                rung: *rung,
                cause: "its worker stopped it".into(),
            },
            Self::Snoozed { delay_s } => Verdict::Snoozed { delay_s: *delay_s },
        }
    }
}

/// Settles reports of a remote worker, in the caller's transaction. Answers one result per report, in order.
///
/// # Errors
/// [`crate::Error::Busy`] when a lock was not had in time: roll back and send the reports again, in halves.
pub fn finish(conn: &mut PgConnection, worker: i64, reports: &[Report]) -> Result<Vec<Settled>> {
    let held = lock(conn, worker, reports)?;
    let attempt_of = |report: &Report| held.get(&(report.id, report.fence));
    let outputs: Vec<OutputRow> = reports
        .iter()
        .filter_map(|report| {
            let (attempt, _) = attempt_of(report)?;
            Some(
                report
                    .output
                    .as_ref()?
                    .row(report.id, report.fence, *attempt),
            )
        })
        .collect();
    save_output(conn, worker, &outputs)?;
    let settled: Vec<ops::Report> = reports
        .iter()
        .map(|report| {
            let (attempt, backoff) =
                attempt_of(report).map_or((1, None), |(n, text)| (*n, text.as_deref()));
            ops::Report {
                id: report.id,
                fence: report.fence,
                verdict: report.said.verdict(attempt, backoff),
            }
        })
        .collect();
    settle(conn, worker, &settled)
}

type Attempts = HashMap<(i64, i32), (i16, Option<String>)>;

/// Locks what the worker holds of these, and answers the attempts and how their kinds wait for the next.
fn lock(conn: &mut PgConnection, worker: i64, reports: &[Report]) -> Result<Attempts> {
    let rows = stmt::<(BigInt, Integer, SmallInt, Nullable<Text>)>(
        "-- remote_finish_lock
         select y.* from (select distinct id, fence from unnest($2, $3) x (id, fence) order by id, fence) x
         cross join lateral (select j.id, j.fence, j.attempt, (select k.backoff::text from belay.kind k where k.name = j.kind)
                             from belay.job j where j.id = x.id and j.fence = x.fence and j.worker = $1 for update) y",
    )
    .bind::<BigInt, _>(worker)
    .bind::<Array<BigInt>, _>(reports.iter().map(|r| r.id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(reports.iter().map(|r| r.fence).collect::<Vec<_>>())
    .load::<(i64, i32, i16, Option<String>)>(conn)?;
    Ok(rows
        .into_iter()
        .map(|(id, fence, attempt, backoff)| ((id, fence), (attempt, backoff)))
        .collect())
}

/// Output and progress of jobs that go on: job and fence, and what is new of it.
pub type Shown = ((i64, i32), Option<Output>, Option<ProgressRow>);

/// Replaces output and progress of running jobs. The attempts in the rows are filled in; what the worker does not hold under
/// that fence is passed over.
///
/// # Errors
/// Those of the database.
pub fn save_progress_of(conn: &mut PgConnection, worker: i64, shown: &[Shown]) -> Result<()> {
    if shown.is_empty() {
        return Ok(());
    }
    let rows = stmt::<(BigInt, Integer, SmallInt)>(
        "-- attempts
         select j.id, j.fence, j.attempt from unnest($2, $3) x (id, fence)
         cross join lateral (select k.id, k.fence, k.attempt from belay.job k where k.id = x.id and k.fence = x.fence and k.worker = $1) j",
    )
    .bind::<BigInt, _>(worker)
    .bind::<Array<BigInt>, _>(shown.iter().map(|s| s.0.0).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(shown.iter().map(|s| s.0.1).collect::<Vec<_>>())
    .load::<(i64, i32, i16)>(conn)?;
    // A fence belongs to one attempt, so this does not grow stale: under another fence nothing is written.
    let attempts: HashMap<(i64, i32), i16> = rows
        .into_iter()
        .map(|(id, fence, attempt)| ((id, fence), attempt))
        .collect();
    let (mut outputs, mut progress) = (Vec::new(), Vec::new());
    for ((id, fence), output, row) in shown {
        let Some(attempt) = attempts.get(&(*id, *fence)).copied() else {
            continue;
        };
        outputs.extend(
            output
                .as_ref()
                .map(|output| output.row(*id, *fence, attempt)),
        );
        progress.extend(row.clone().map(|row| ProgressRow { attempt, ..row }));
    }
    save_output(conn, worker, &outputs)?;
    save_progress(conn, worker, &progress)
}
