//! Settle: every report of a worker that is not a plain success, and successes too when a batch is mixed.
//!
//! Locks the reported jobs that this worker still holds under that fence, waiting, in ascending id order; decides each by the
//! table of transitions on the locked state; acts in later statements of the same transaction. A `cancelling` job ends as
//! `cancelled` whatever the report says, so no failure, snooze or retry can revive a job whose cancel was accepted.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text};
use serde_json::json;

use super::outcome::{Ending, Putback, Record, end, put_back, record};
use crate::error::Result;
use crate::state::{Event, JobState, next, sql};
use crate::stmt::stmt;

/// How far a stop had to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rung {
    /// The code stopped by itself when asked (or finished first).
    Cooperative,
    /// A TERM signal ended it.
    Term,
    /// A KILL signal ended it.
    Kill,
}

impl Rung {
    /// The word kept in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cooperative => "cooperative",
            Self::Term => "term",
            Self::Kill => "kill",
        }
    }
}

/// What a worker says of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It worked.
    Completed,
    /// It failed.
    Failed {
        /// Why, for the reader of the job.
        error: String,
        /// Seconds until the next attempt, when there is one.
        delay_s: f64,
        /// Whether another attempt may be made.
        retry: bool,
    },
    /// It asks to be run again later, without using up an attempt.
    Snoozed {
        /// Seconds to wait.
        delay_s: f64,
    },
    /// It was stopped, and nothing of it is left running. On a job that nobody cancelled this gives it back to the line.
    Stopped {
        /// What it took.
        rung: Rung,
        /// Why, for the record, when it was not a cancel.
        cause: String,
    },
}

/// A worker's report on one attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The job.
    pub id: i64,
    /// The fence it was claimed with.
    pub fence: i32,
    /// What happened.
    pub verdict: Verdict,
}

/// What the code produced although the job had been cancelled: evidence, never the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishedAnyway {
    /// It had succeeded.
    Completed,
    /// It had failed.
    Failed,
    /// It wanted to go on later.
    Snoozed,
}

impl FinishedAnyway {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Snoozed => "snoozed",
        }
    }
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The job is in this state now.
    Now(JobState),
    /// The job is suspended: nothing was changed. Report again when it goes on.
    Held,
    /// The worker does not hold the job under that fence any more. Nothing was changed; it must stop the work.
    Stale,
}

#[derive(Debug)]
struct Held {
    state: JobState,
    attempt: i16,
    max_attempts: i16,
    tenant: i32,
    cancel_reason: Option<String>,
}

/// Settles reports of a worker, in the caller's transaction. Answers one result per report, in order.
///
/// # Errors
/// [`crate::Error::Busy`] when a lock was not had in time: roll back and send the reports again, in halves.
pub fn settle(conn: &mut PgConnection, worker: i64, reports: &[Report]) -> Result<Vec<Settled>> {
    let held = lock(conn, worker, reports)?;
    let name = format!("worker {worker}");
    let mut plan = Plan {
        worker,
        actor: &name,
        endings: Vec::new(),
        putbacks: Vec::new(),
        records: Vec::new(),
    };
    let mut taken = std::collections::HashSet::new();
    let settled = reports
        .iter()
        .map(|report| match held.get(&(report.id, report.fence)) {
            // A second report on the same job in one batch finds the job gone, as it would in a batch of its own.
            Some(job) if taken.insert(report.id) => plan.decide(report, job),
            _ => Settled::Stale,
        })
        .collect();
    record(conn, &plan.records)?;
    end(conn, &plan.endings)?;
    put_back(conn, &plan.putbacks)?;
    Ok(settled)
}

fn lock(
    conn: &mut PgConnection,
    worker: i64,
    reports: &[Report],
) -> Result<HashMap<(i64, i32), Held>> {
    type Row = (
        BigInt,
        Integer,
        sql::JobState,
        SmallInt,
        SmallInt,
        Integer,
        Nullable<Text>,
    );
    let rows = stmt::<Row>(
        "-- settle_lock
         select y.* from (select distinct id, fence from unnest($2, $3) x (id, fence) order by id, fence) x
         cross join lateral (select j.id, j.fence, j.state, j.attempt, j.max_attempts, j.tenant, j.cancel_reason from belay.job j
                             where j.id = x.id and j.fence = x.fence and j.worker = $1 for update) y",
    )
    .bind::<BigInt, _>(worker)
    .bind::<Array<BigInt>, _>(reports.iter().map(|r| r.id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(reports.iter().map(|r| r.fence).collect::<Vec<_>>())
    .load::<(i64, i32, JobState, i16, i16, i32, Option<String>)>(conn)?;
    Ok(rows
        .into_iter()
        .map(
            |(id, fence, state, attempt, max_attempts, tenant, cancel_reason)| {
                (
                    (id, fence),
                    Held {
                        state,
                        attempt,
                        max_attempts,
                        tenant,
                        cancel_reason,
                    },
                )
            },
        )
        .collect())
}

struct Plan<'a> {
    worker: i64,
    actor: &'a str,
    endings: Vec<Ending>,
    putbacks: Vec<Putback>,
    records: Vec<Record<'a>>,
}

impl<'a> Plan<'a> {
    fn decide(&mut self, report: &Report, job: &'a Held) -> Settled {
        let event = match (job.state, &report.verdict) {
            (JobState::Suspended, _) => return Settled::Held,
            (JobState::Cancelling, _) => Event::Stopped,
            (_, Verdict::Completed) => Event::Complete,
            (_, Verdict::Failed { retry, .. }) if !retry || job.attempt >= job.max_attempts => {
                Event::Fail
            }
            (_, Verdict::Failed { .. } | Verdict::Snoozed { .. } | Verdict::Stopped { .. }) => {
                Event::Reschedule
            }
        };
        let Some(now) = next(job.state, event) else {
            return Settled::Stale;
        };
        match event {
            Event::Stopped => self.cancelled(report, job),
            Event::Complete => self.endings.push(Ending {
                id: report.id,
                state: now,
                rung: None,
                error: None,
            }),
            Event::Fail => self.failed(report, job),
            _ => self.rescheduled(report, job),
        }
        Settled::Now(now)
    }

    fn cancelled(&mut self, report: &Report, job: &'a Held) {
        let (rung, anyway, error) = match &report.verdict {
            Verdict::Stopped { rung, .. } => (*rung, None, None),
            Verdict::Completed => (Rung::Cooperative, Some(FinishedAnyway::Completed), None),
            Verdict::Failed { error, .. } => {
                (Rung::Cooperative, Some(FinishedAnyway::Failed), Some(error))
            }
            Verdict::Snoozed { .. } => (Rung::Cooperative, Some(FinishedAnyway::Snoozed), None),
        };
        let mut detail = json!({ "rung": rung.as_str() });
        if let Some(anyway) = anyway {
            detail["finished_anyway"] = json!(anyway.as_str());
        }
        if let Some(error) = error {
            detail["error"] = json!(clean(error));
        }
        self.endings.push(Ending {
            id: report.id,
            state: JobState::Cancelled,
            rung: Some(rung.as_str()),
            error: None,
        });
        self.push(
            report,
            job,
            "cancelled",
            JobState::Cancelled,
            job.cancel_reason.as_deref(),
            Some(detail),
        );
    }

    fn failed(&mut self, report: &Report, job: &'a Held) {
        let Verdict::Failed { error, .. } = &report.verdict else {
            return;
        };
        let error = clean(error);
        self.push(
            report,
            job,
            "failed",
            JobState::Failed,
            None,
            Some(json!({ "error": error })),
        );
        self.endings.push(Ending {
            id: report.id,
            state: JobState::Failed,
            rung: None,
            error: Some(error),
        });
    }

    fn rescheduled(&mut self, report: &Report, job: &'a Held) {
        let (event, delay_s, error, refund, detail) = match &report.verdict {
            Verdict::Failed { error, delay_s, .. } => {
                let error = clean(error);
                let detail = json!({ "error": error, "retry_in_s": delay_s });
                ("attempt_failed", *delay_s, Some(error), false, detail)
            }
            Verdict::Snoozed { delay_s } => (
                "snoozed",
                *delay_s,
                None,
                true,
                json!({ "delay_s": delay_s }),
            ),
            Verdict::Stopped { rung, cause } => (
                "released",
                0.0,
                None,
                true,
                json!({ "cause": cause, "rung": rung.as_str() }),
            ),
            Verdict::Completed => return,
        };
        self.push(report, job, event, JobState::Scheduled, None, Some(detail));
        self.putbacks.push(Putback {
            id: report.id,
            delay_s: delay_s.clamp(0.0, 31_536_000.0),
            error,
            refund,
        });
    }

    fn push(
        &mut self,
        report: &Report,
        job: &'a Held,
        event: &'static str,
        state: JobState,
        reason: Option<&'a str>,
        detail: Option<serde_json::Value>,
    ) {
        self.records.push(Record {
            job: report.id,
            worker: Some(self.worker),
            tenant: job.tenant,
            attempt: job.attempt,
            event,
            was: Some(job.state),
            state: Some(state),
            actor: self.actor,
            via: "worker",
            reason,
            detail,
        });
    }
}

/// An error text as the database can hold it: without NUL, at most 4000 characters.
fn clean(error: &str) -> String {
    error
        .chars()
        .map(|c| if c == '\0' { '\u{fffd}' } else { c })
        .take(4000)
        .collect()
}
