//! What becomes of jobs that this transaction has locked: moved to `job_done`, or put back, with the record of it. Shared by
//! the reports of workers, the rescue and the operator's force. None of these functions locks: the caller has.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, SmallInt, Text};

use crate::error::{Error, Result};
use crate::state::{JobState, sql};
use crate::stmt::stmt;

/// A locked job that ends now.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) id: i64,
    pub(super) state: JobState,
    /// Set exactly when `state` is cancelled.
    pub(super) rung: Option<&'static str>,
    /// Replaces the last error when set.
    pub(super) error: Option<String>,
}

/// A locked job that goes back to wait.
#[derive(Debug)]
pub(super) struct Putback {
    pub(super) id: i64,
    /// Seconds until it may run again.
    pub(super) delay_s: f64,
    pub(super) error: Option<String>,
    /// Whether the attempt is given back.
    pub(super) refund: bool,
}

/// A line of the record.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) job: i64,
    pub(super) worker: Option<i64>,
    pub(super) tenant: i32,
    pub(super) attempt: i16,
    pub(super) event: &'static str,
    pub(super) was: Option<JobState>,
    pub(super) state: Option<JobState>,
    pub(super) actor: &'a str,
    pub(super) via: &'static str,
    pub(super) reason: Option<&'a str>,
    pub(super) detail: Option<serde_json::Value>,
}

fn all_or_nothing(what: &str, wanted: usize, done: usize) -> Result<()> {
    if wanted == done {
        return Ok(());
    }
    // Only possible when a caller did not hold the locks it claimed to hold; rolled back by the error.
    Err(Error::Refused {
        state: None,
        message: format!("{what} reached {done} of {wanted} locked jobs; nothing was changed"),
    })
}

/// Moves locked jobs to `job_done`.
pub(super) fn end(conn: &mut PgConnection, endings: &[Ending]) -> Result<()> {
    if endings.is_empty() {
        return Ok(());
    }
    let done = stmt::<()>(
        "-- end
         with d as (
           delete from belay.job j using unnest($1, $2, $3, $4) x (id, now, rung, error) where j.id = x.id
           returning j.*, x.now, x.rung, x.error)
         insert into belay.job_done (id, worker, run_at, created_at, started_at, claimed_at, cancel_at, retry_of, tenant, was, state, fence, timeout_s, job_timeout_s,
           priority, attempt, max_attempts, queue, kind, created_by, created_via, unique_key, cancel_actor, cancel_reason, cancel_via, cancel_rung, last_error, payload)
         select id, worker, run_at, created_at, started_at, claimed_at, cancel_at, retry_of, tenant, state, now, fence, timeout_s, job_timeout_s,
           priority, attempt, max_attempts, queue, kind, created_by, created_via, unique_key, cancel_actor, cancel_reason, cancel_via, rung::belay.cancel_rung,
           coalesce(error, last_error), payload
         from d",
    )
    .bind::<Array<BigInt>, _>(endings.iter().map(|e| e.id).collect::<Vec<_>>())
    .bind::<Array<sql::JobState>, _>(endings.iter().map(|e| e.state).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(endings.iter().map(|e| e.rung).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(endings.iter().map(|e| e.error.as_deref()).collect::<Vec<_>>())
    .execute(conn)?;
    all_or_nothing("ending jobs", endings.len(), done)
}

/// Puts locked running jobs back to wait for their time.
pub(super) fn put_back(conn: &mut PgConnection, jobs: &[Putback]) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let done = stmt::<()>(
        "-- put_back
         update belay.job j
         set state = 'scheduled', ticket = null, worker = null, run_at = now() + x.delay * interval '1 s',
             last_error = coalesce(x.error, last_error), attempt = j.attempt - x.refund
         from unnest($1, $2, $3, $4) x (id, delay, error, refund) where j.id = x.id and j.state = 'running'",
    )
    .bind::<Array<BigInt>, _>(jobs.iter().map(|j| j.id).collect::<Vec<_>>())
    .bind::<Array<Double>, _>(jobs.iter().map(|j| j.delay_s).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(jobs.iter().map(|j| j.error.as_deref()).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(jobs.iter().map(|j| i16::from(j.refund)).collect::<Vec<_>>())
    .execute(conn)?;
    all_or_nothing("putting jobs back", jobs.len(), done)
}

/// Why an attempt failed. Content of the job, so it stands beside its output and goes when its data is deleted.
#[derive(Debug)]
pub(super) struct AttemptError {
    pub(super) job: i64,
    pub(super) attempt: i16,
    pub(super) error: String,
}

/// Keeps the errors of attempts of locked jobs.
pub(super) fn save_errors(conn: &mut PgConnection, errors: &[AttemptError]) -> Result<()> {
    if errors.is_empty() {
        return Ok(());
    }
    stmt::<()>(
        "-- save_errors
         insert into belay.job_output (job, attempt, error) select * from unnest($1, $2, $3) order by 1
         on conflict (job, attempt) do update set error = excluded.error, updated_at = now()",
    )
    .bind::<Array<BigInt>, _>(errors.iter().map(|e| e.job).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(errors.iter().map(|e| e.attempt).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(errors.iter().map(|e| e.error.as_str()).collect::<Vec<_>>())
    .execute(conn)?;
    Ok(())
}

/// Writes the record.
pub(super) fn record(conn: &mut PgConnection, records: &[Record<'_>]) -> Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    stmt::<()>(
        "-- record
         insert into belay.job_event (job, worker, tenant, attempt, event, was, state, actor, via, reason, detail)
         select job, worker, tenant, attempt, event, was, state, actor, via, reason, detail::jsonb
         from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
           x (job, worker, tenant, attempt, event, was, state, actor, via, reason, detail)",
    )
    .bind::<Array<BigInt>, _>(records.iter().map(|r| r.job).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(records.iter().map(|r| r.worker).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(records.iter().map(|r| r.tenant).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(records.iter().map(|r| r.attempt).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(records.iter().map(|r| r.event).collect::<Vec<_>>())
    .bind::<Array<Nullable<sql::JobState>>, _>(records.iter().map(|r| r.was).collect::<Vec<_>>())
    .bind::<Array<Nullable<sql::JobState>>, _>(records.iter().map(|r| r.state).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(records.iter().map(|r| r.actor).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(records.iter().map(|r| r.via).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(records.iter().map(|r| r.reason).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(records.iter().map(|r| r.detail.as_ref().map(ToString::to_string)).collect::<Vec<_>>())
    .execute(conn)?;
    Ok(())
}
