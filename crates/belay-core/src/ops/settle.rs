//! Settle: every report of a worker that is not a plain success, and successes too when a batch is mixed.
//!
//! Locks the reported jobs that this worker still holds under that fence, waiting, in ascending id order; decides each by the
//! table of transitions on the locked state; acts in later statements of the same transaction. A `cancelling` job ends as
//! `cancelled` whatever the report says, so no failure, snooze or retry can revive a job whose cancel was accepted.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, SmallInt, Text, Timestamptz};
use serde_json::json;

use super::outcome::{AttemptError, Ending, Putback, Record, end, put_back, record, save_errors};
use super::report::{FinishedAnyway, Report, Rung, Settled, Verdict};
use super::text::{MAX_ERROR, storable};
use crate::error::Result;
use crate::state::{Event, JobState, next, sql};
use crate::stmt::stmt;

#[derive(Debug)]
struct Held {
    state: JobState,
    attempt: i16,
    max_attempts: i16,
    tenant: i32,
    claimed_at: DateTime<Utc>,
    cancel_reason: Option<String>,
    /// Seconds until the time of the whole job is over, if it has one.
    left_s: Option<f64>,
}

impl Held {
    /// Whether no attempt can come after this one, which would wait so long: there is none left, or no time.
    fn is_last(&self, delay_s: f64) -> bool {
        self.attempt >= self.max_attempts
            || self.left_s.is_some_and(|left| bounded(delay_s) >= left)
    }
}

/// The word of the record for an attempt that took too long.
const TIMED_OUT: &str = "timed_out";

/// Why a job failed for good, where that is not just its error.
fn cause(verdict: &Verdict, job: &Held) -> Option<serde_json::Value> {
    match verdict {
        Verdict::TimedOut { rung, .. } => {
            Some(json!({ "cause": TIMED_OUT, "rung": rung.as_str() }))
        }
        Verdict::Failed { retry: true, .. } if job.attempt < job.max_attempts => {
            Some(json!({ "cause": "no_time_left" }))
        }
        _ => None,
    }
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
        errors: Vec::new(),
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
    save_errors(conn, &plan.errors)?;
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
        Timestamptz,
        Nullable<Text>,
        Nullable<Double>,
    );
    type Read = (
        i64,
        i32,
        JobState,
        i16,
        i16,
        i32,
        DateTime<Utc>,
        Option<String>,
        Option<f64>,
    );
    let rows = stmt::<Row>(
        "-- settle_lock
         select y.* from (select distinct id, fence from unnest($2, $3) x (id, fence) order by id, fence) x
         cross join lateral (select j.id, j.fence, j.state, j.attempt, j.max_attempts, j.tenant, j.claimed_at, j.cancel_reason,
                               extract(epoch from j.started_at + j.job_timeout_s * interval '1 s' - clock_timestamp())::float8
                             from belay.job j
                             where j.id = x.id and j.fence = x.fence and j.worker = $1 for update) y",
    )
    .bind::<BigInt, _>(worker)
    .bind::<Array<BigInt>, _>(reports.iter().map(|r| r.id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(reports.iter().map(|r| r.fence).collect::<Vec<_>>())
    .load::<Read>(conn)?;
    let held = |(
        id,
        fence,
        state,
        attempt,
        max_attempts,
        tenant,
        claimed_at,
        cancel_reason,
        left_s,
    ): Read| {
        (
            (id, fence),
            Held {
                state,
                attempt,
                max_attempts,
                tenant,
                claimed_at,
                cancel_reason,
                left_s,
            },
        )
    };
    Ok(rows.into_iter().map(held).collect())
}

struct Plan<'a> {
    worker: i64,
    actor: &'a str,
    endings: Vec<Ending>,
    putbacks: Vec<Putback>,
    records: Vec<Record<'a>>,
    errors: Vec<AttemptError>,
}

impl<'a> Plan<'a> {
    fn decide(&mut self, report: &Report, job: &'a Held) -> Settled {
        let event = match (job.state, &report.verdict) {
            (JobState::Suspended, _) => return Settled::Held,
            (JobState::Cancelling, _) => Event::Stopped,
            (_, Verdict::Completed) => Event::Complete,
            (
                _,
                Verdict::Failed { retry, delay_s, .. } | Verdict::TimedOut { retry, delay_s, .. },
            ) if !retry || job.is_last(*delay_s) => Event::Fail,
            (
                _,
                Verdict::Failed { .. }
                | Verdict::TimedOut { .. }
                | Verdict::Snoozed { .. }
                | Verdict::Stopped { .. },
            ) => Event::Reschedule,
        };
        let Some(now) = next(job.state, event) else {
            return Settled::Stale;
        };
        let error = match &report.verdict {
            Verdict::Failed { error, .. } | Verdict::TimedOut { error, .. } => {
                Some(storable(error, MAX_ERROR))
            }
            _ => None,
        };
        if let Some(error) = &error {
            self.errors.push(AttemptError {
                job: report.id,
                attempt: job.attempt,
                error: error.clone(),
            });
        }
        match event {
            Event::Stopped => self.cancelled(report, job),
            Event::Complete => self.end(report, now, None, None),
            Event::Fail => {
                self.push(report, job, "failed", now, cause(&report.verdict, job));
                self.end(report, now, None, error);
            }
            _ => self.rescheduled(report, job, error),
        }
        Settled::Now(now)
    }

    fn cancelled(&mut self, report: &Report, job: &'a Held) {
        let (rung, anyway) = match &report.verdict {
            Verdict::Stopped { rung, .. } | Verdict::TimedOut { rung, .. } => (*rung, None),
            Verdict::Completed => (Rung::Cooperative, Some(FinishedAnyway::Completed)),
            Verdict::Failed { .. } => (Rung::Cooperative, Some(FinishedAnyway::Failed)),
            Verdict::Snoozed { .. } => (Rung::Cooperative, Some(FinishedAnyway::Snoozed)),
        };
        let detail = match anyway {
            Some(anyway) => json!({ "rung": rung.as_str(), "finished_anyway": anyway.as_str() }),
            None => json!({ "rung": rung.as_str() }),
        };
        self.push(report, job, "cancelled", JobState::Cancelled, Some(detail));
        self.end(report, JobState::Cancelled, Some(rung.as_str()), None);
    }

    fn rescheduled(&mut self, report: &Report, job: &'a Held, error: Option<String>) {
        // The job keeps only its latest claim; the record of what ended this one keeps when it was.
        let claimed_at = job.claimed_at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let (event, delay_s, refund, detail) = match &report.verdict {
            Verdict::Failed { delay_s, .. } => {
                let delay_s = bounded(*delay_s);
                (
                    "attempt_failed",
                    delay_s,
                    false,
                    json!({ "claimed_at": claimed_at, "retry_in_s": delay_s }),
                )
            }
            Verdict::TimedOut { delay_s, rung, .. } => {
                let delay_s = bounded(*delay_s);
                (
                    "attempt_failed",
                    delay_s,
                    false,
                    json!({ "claimed_at": claimed_at, "retry_in_s": delay_s, "cause": TIMED_OUT, "rung": rung.as_str() }),
                )
            }
            Verdict::Snoozed { delay_s } => {
                let delay_s = bounded(*delay_s);
                (
                    "snoozed",
                    delay_s,
                    true,
                    json!({ "claimed_at": claimed_at, "delay_s": delay_s }),
                )
            }
            Verdict::Stopped { rung, cause } => {
                let cause = storable(cause, 200);
                (
                    "released",
                    0.0,
                    true,
                    json!({ "claimed_at": claimed_at, "cause": cause, "rung": rung.as_str() }),
                )
            }
            Verdict::Completed => return,
        };
        self.push(report, job, event, JobState::Scheduled, Some(detail));
        self.putbacks.push(Putback {
            id: report.id,
            delay_s,
            error,
            refund,
        });
    }

    fn end(
        &mut self,
        report: &Report,
        state: JobState,
        rung: Option<&'static str>,
        error: Option<String>,
    ) {
        self.endings.push(Ending {
            id: report.id,
            state,
            rung,
            error,
        });
    }

    fn push(
        &mut self,
        report: &Report,
        job: &'a Held,
        event: &'static str,
        state: JobState,
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
            reason: job.cancel_reason.as_deref(),
            detail,
        });
    }
}

/// A delay as the database can hold it: up to a year, and none for what is no number.
fn bounded(delay_s: f64) -> f64 {
    if delay_s.is_nan() {
        0.0
    } else {
        delay_s.clamp(0.0, 31_536_000.0)
    }
}
