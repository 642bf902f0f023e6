//! Schedule: moves the time from which a job that never started may run. Locks the one job and acts under the lock, so a claim
//! or a cancel that came first wins.

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Timestamptz};
use serde_json::json;

use super::Actor;
use super::lock::{hint_sleepers, lock_one, not_unfinished};
use super::outcome::{Record, record};
use crate::error::{Error, Result};
use crate::state::{Event, JobState, next};
use crate::stmt::stmt;

/// Lets a job run from `run_at`; `None` or a time in the past: from now. Answers the state it is in now.
///
/// An open job stays open and keeps the time for when it is closed. A scheduled job gets the new time, or joins its line. A
/// queued job stands in its line already: from now on is what it has, and it cannot be put off. What would change nothing is
/// not recorded.
///
/// # Errors
/// [`Error::Missing`]; [`Error::Invalid`] for a time outside of the years 1 to 9999; [`Error::Refused`] for a job that ever
/// started or has ended, and for a queued one that should wait.
pub fn schedule(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
    run_at: Option<DateTime<Utc>>,
    actor: &Actor,
) -> Result<JobState> {
    if let Some(at) = run_at.filter(|at| !(1..=9999).contains(&at.year())) {
        return Err(Error::invalid(
            "run_at",
            format!("run_at is {at}, it must lie between the years 1 and 9999"),
        ));
    }
    let Some(job) = lock_one(conn, tenant, id)? else {
        return Err(not_unfinished(conn, tenant, id, "scheduled"));
    };
    let plan = look(conn, id, run_at)?;
    if plan.started {
        return Err(job.refused("scheduled", "it has been started before"));
    }
    let now = match job.state {
        JobState::Open => JobState::Open,
        JobState::Scheduled if plan.later => JobState::Scheduled,
        JobState::Queued if plan.later => {
            return Err(job.refused("scheduled", "it stands in its line and cannot be put off"));
        }
        JobState::Queued => return Ok(job.state),
        state => next(state, Event::Promote)
            .ok_or_else(|| job.refused("scheduled", "only a job that waits can be"))?,
    };
    if plan.same && now == job.state {
        return Ok(now);
    }
    let after = act(conn, id, run_at.filter(|_| plan.later), now)?;
    record(
        conn,
        &[Record {
            job: id,
            worker: None,
            tenant: job.tenant,
            attempt: job.attempt,
            event: "rescheduled",
            was: Some(job.state),
            state: Some(now),
            actor: &actor.name,
            via: actor.via.as_str(),
            reason: None,
            detail: Some(json!({ "run_at": text(after), "run_at_before": text(plan.run_at) })),
        }],
    )?;
    if now == JobState::Queued {
        hint_sleepers(conn)?;
    }
    Ok(now)
}

/// What is known of a locked job and the wish. Database time decides, as everywhere.
struct Plan {
    started: bool,
    run_at: DateTime<Utc>,
    /// Whether the wish lies in the future.
    later: bool,
    /// Whether it is the time the job has already.
    same: bool,
}

fn look(conn: &mut PgConnection, id: i64, wish: Option<DateTime<Utc>>) -> Result<Plan> {
    let (started, run_at, later, same) = stmt::<(Bool, Timestamptz, Bool, Bool)>(
        "-- schedule_look
         select started_at is not null, run_at, coalesce($2 > now(), false), coalesce($2 = run_at, false) from belay.job where id = $1",
    )
    .bind::<BigInt, _>(id)
    .bind::<Nullable<Timestamptz>, _>(wish)
    .get_result::<(bool, DateTime<Utc>, bool, bool)>(conn)?;
    Ok(Plan {
        started,
        run_at,
        later,
        same,
    })
}

/// Answers the time that the job has now.
fn act(
    conn: &mut PgConnection,
    id: i64,
    run_at: Option<DateTime<Utc>>,
    now: JobState,
) -> Result<DateTime<Utc>> {
    let queued = now == JobState::Queued;
    Ok(stmt::<Timestamptz>(
        "-- schedule
         update belay.job set run_at = coalesce($2, now()), state = case when $3 then 'queued' else state end,
           ticket = case when $3 then nextval('belay.ticket') end
         where id = $1 and state in ('open', 'scheduled') returning run_at",
    )
    .bind::<BigInt, _>(id)
    .bind::<Nullable<Timestamptz>, _>(run_at)
    .bind::<Bool, _>(queued)
    .get_result(conn)?)
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
