//! The life of a job, in order: what its columns say, and what was recorded.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable};

use crate::error::{Error, Result};
use crate::id::JobRef;
use crate::model::{EventRow, Job};
use crate::state::JobState;

/// Every transition of a job, each once, oldest first. Creation, the latest claim and the completion come from the job's
/// columns; earlier claims from the record of what ended them; all else is recorded. Errors of attempts are shown with the
/// entry that reports them, until the data of the job is deleted.
///
/// # Errors
/// Those of the database.
pub fn timeline(conn: &mut PgConnection, job: &Job) -> Result<Vec<EventRow>> {
    let recorded = recorded(conn, Some(job.tenant), job.id)?;
    let mut all = vec![created(job)];
    let mut latest = job.claimed_at;
    for entry in &recorded {
        if let Some(at) = claim_ended_by(entry) {
            all.push(claimed(at, entry.attempt, entry.worker));
            latest = latest.filter(|latest| *latest != at);
        }
    }
    if let Some(at) = latest {
        all.push(claimed(at, job.attempt, job.worker));
    }
    if let (Some(at), JobState::Completed) = (job.finished_at, job.state) {
        all.push(completed(job, at));
    }
    all.extend(recorded);
    // Stable: entries of one moment keep the order in which they were recorded.
    all.sort_by_key(|entry| entry.at);
    Ok(all)
}

/// The life of a job of a tenant (`None`: of any), and its number. Of a job that is not kept any more what is on record; it can be
/// named by its number alone, because the other spellings are told by the time it was made.
///
/// # Errors
/// [`Error::Missing`] when there is no such job in that tenant, and nothing on record of one.
pub fn life(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    job: &JobRef,
) -> Result<(i64, Vec<EventRow>)> {
    match super::get(conn, tenant, job) {
        Ok(found) => Ok((found.id, timeline(conn, &found)?)),
        Err(error @ Error::Missing { .. }) if job.is_number() => {
            let recorded = recorded(conn, tenant, job.id)?;
            if recorded.is_empty() {
                return Err(error);
            }
            Ok((job.id, recorded))
        }
        Err(error) => Err(error),
    }
}

fn recorded(conn: &mut PgConnection, tenant: Option<i32>, job: i64) -> Result<Vec<EventRow>> {
    Ok(diesel::sql_query(
        "-- timeline
         select e.at, e.event, e.was, e.state, e.attempt, e.worker, e.actor, e.via, e.reason,
           case when o.error is null then e.detail else coalesce(e.detail, '{}') || jsonb_build_object('error', o.error) end as detail
         from belay.job_event e
         left join belay.job_output o on o.job = e.job and o.attempt = e.attempt
           and (e.event in ('attempt_failed', 'failed') or (e.event = 'cancelled' and e.detail ->> 'finished_anyway' = 'failed'))
         where e.job = $1 and ($2 is null or e.tenant = $2) order by e.id",
    )
    .bind::<BigInt, _>(job)
    .bind::<Nullable<Integer>, _>(tenant)
    .load(conn)?)
}

/// When the attempt began that this entry ended, where the record had to keep it.
fn claim_ended_by(entry: &EventRow) -> Option<DateTime<Utc>> {
    let text = entry.detail.as_ref()?.get("claimed_at")?.as_str()?;
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

fn created(job: &Job) -> EventRow {
    EventRow {
        at: job.created_at,
        event: "created".into(),
        was: None,
        state: None,
        attempt: 0,
        worker: None,
        actor: job.created_by.clone(),
        via: job.created_via.clone(),
        reason: None,
        detail: None,
    }
}

fn claimed(at: DateTime<Utc>, attempt: i16, worker: Option<i64>) -> EventRow {
    of_worker(
        at,
        "claimed",
        (JobState::Queued, JobState::Running),
        attempt,
        worker,
    )
}

fn completed(job: &Job, at: DateTime<Utc>) -> EventRow {
    of_worker(
        at,
        "completed",
        (JobState::Running, JobState::Completed),
        job.attempt,
        job.worker,
    )
}

fn of_worker(
    at: DateTime<Utc>,
    event: &str,
    (was, state): (JobState, JobState),
    attempt: i16,
    worker: Option<i64>,
) -> EventRow {
    EventRow {
        at,
        event: event.into(),
        was: Some(was),
        state: Some(state),
        attempt,
        worker,
        actor: worker.map_or_else(|| "a worker".to_owned(), |w| format!("worker {w}")),
        via: "worker".into(),
        reason: None,
        detail: None,
    }
}
