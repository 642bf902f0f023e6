//! Start now: a scheduled job joins the line at once. Locks the one job and acts under the lock, so a claim or a cancel
//! that came first is seen and wins.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::lock::{hint_sleepers, lock_one, not_unfinished};
use super::outcome::{Record, record};
use super::{Actor, check_reason};
use crate::error::Result;
use crate::state::{Event, JobState, next};
use crate::stmt::stmt;

/// Queues a scheduled job now. Answers the state before: `queued` when it was that already.
///
/// # Errors
/// [`crate::Error::Missing`]; [`crate::Error::Refused`] when the job is not waiting for its time.
pub fn start_now(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
    actor: &Actor,
    reason: Option<&str>,
) -> Result<JobState> {
    check_reason(reason)?;
    let Some(job) = lock_one(conn, tenant, id)? else {
        return Err(not_unfinished(conn, tenant, id, "started now"));
    };
    if job.state == JobState::Queued {
        return Ok(job.state);
    }
    let Some(now) = next(job.state, Event::Promote) else {
        return Err(job.refused("started now", "only a scheduled job can be"));
    };
    stmt::<()>("-- start_now\n update belay.job set state = 'queued', ticket = nextval('belay.ticket'), run_at = now() where id = $1 and state = 'scheduled'")
        .bind::<BigInt, _>(id)
        .execute(conn)?;
    record(
        conn,
        &[Record {
            job: id,
            worker: None,
            tenant: job.tenant,
            attempt: job.attempt,
            event: "started_now",
            was: Some(job.state),
            state: Some(now),
            actor: &actor.name,
            via: actor.via.as_str(),
            reason,
            detail: None,
        }],
    )?;
    hint_sleepers(conn)?;
    Ok(job.state)
}
