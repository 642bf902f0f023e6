//! Suspend and resume: the work is held still by its worker, which keeps its lease and the job.
//!
//! Each locks the one job and acts under the lock, so a cancel that came first is seen and wins.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use super::lock::{Locked, hint_worker, lock_one, not_unfinished};
use super::outcome::{Record, record};
use super::{Actor, check_reason};
use crate::error::Result;
use crate::state::{Event, JobState, next};
use crate::stmt::stmt;

/// Asks the worker of a running job to hold it still. Answers the state before: `suspended` when it was that already.
///
/// # Errors
/// [`crate::Error::Missing`]; [`crate::Error::Refused`] when the job is not running or its kind cannot be suspended.
pub fn suspend(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
    actor: &Actor,
    reason: Option<&str>,
) -> Result<JobState> {
    check_reason(reason)?;
    let job = lock_one(conn, tenant, id)?;
    let Some(job) = job else {
        return Err(not_unfinished(conn, tenant, id, "suspended"));
    };
    if job.state == JobState::Suspended {
        return Ok(job.state);
    }
    let Some(now) = next(job.state, Event::Suspend) else {
        return Err(job.refused("suspended", "only a running job can be"));
    };
    let can: bool = stmt::<Bool>("-- can_suspend\n select coalesce((select can_suspend from belay.kind where name = $1), false)")
        .bind::<Text, _>(&job.kind)
        .get_result(conn)?;
    if !can {
        return Err(job.refused(
            "suspended",
            &format!("jobs of kind {:?} cannot be held still", job.kind),
        ));
    }
    stmt::<()>("-- suspend\n update belay.job set state = 'suspended', suspended_at = now() where id = $1 and state = 'running'")
        .bind::<BigInt, _>(id)
        .execute(conn)?;
    write(conn, &job, "suspended", now, actor, reason)
}

/// Lets a suspended job go on. Answers the state before: `running` when it was that already.
///
/// # Errors
/// [`crate::Error::Missing`]; [`crate::Error::Refused`] when the job is neither suspended nor running.
pub fn resume(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
    actor: &Actor,
    reason: Option<&str>,
) -> Result<JobState> {
    check_reason(reason)?;
    let job = lock_one(conn, tenant, id)?;
    let Some(job) = job else {
        return Err(not_unfinished(conn, tenant, id, "resumed"));
    };
    if job.state == JobState::Running {
        return Ok(job.state);
    }
    let Some(now) = next(job.state, Event::Resume) else {
        return Err(job.refused("resumed", "only a suspended job can be"));
    };
    stmt::<()>("-- resume\n update belay.job set state = 'running', suspended_at = null where id = $1 and state = 'suspended'")
        .bind::<BigInt, _>(id)
        .execute(conn)?;
    write(conn, &job, "resumed", now, actor, reason)
}

fn write(
    conn: &mut PgConnection,
    job: &Locked,
    event: &'static str,
    now: JobState,
    actor: &Actor,
    reason: Option<&str>,
) -> Result<JobState> {
    record(
        conn,
        &[Record {
            job: job.id,
            worker: job.worker,
            tenant: job.tenant,
            attempt: job.attempt,
            event,
            was: Some(job.state),
            state: Some(now),
            actor: &actor.name,
            via: actor.via.as_str(),
            reason,
            detail: None,
        }],
    )?;
    if let Some(worker) = job.worker {
        hint_worker(conn, worker)?;
    }
    Ok(job.state)
}
