//! Close: an open job takes no more uploads and waits for its turn. Locks the one job and acts under the lock, so an abort
//! that came first wins. Uploads under way do not count any more and are deleted. A job that may run at once waits from now on.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};

use super::Actor;
use super::lock::{hint_sleepers, lock_one, not_unfinished};
use super::outcome::{Record, record};
use super::upload::cut_off_uploads;
use crate::error::Result;
use crate::state::{Event, JobState, next};
use crate::stmt::stmt;

/// Closes an open job and answers its new state, `queued` or `scheduled`.
///
/// # Errors
/// [`crate::Error::Missing`]; [`crate::Error::Refused`] when it is not open.
pub fn close(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
    actor: &Actor,
) -> Result<JobState> {
    let Some(job) = lock_one(conn, tenant, id)? else {
        return Err(not_unfinished(conn, tenant, id, "closed"));
    };
    // Database time decides, as everywhere.
    let later: bool =
        stmt::<Bool>("-- is_later\n select run_at > now() from belay.job where id = $1")
            .bind::<BigInt, _>(id)
            .get_result(conn)?;
    let event = if later {
        Event::CloseForLater
    } else {
        Event::Close
    };
    let Some(now) = next(job.state, event) else {
        return Err(job.refused("closed", "only an open job can be"));
    };
    stmt::<()>(
        "-- close
         update belay.job set upload = false, state = case when $2 then 'scheduled' else 'queued' end::belay.job_state,
           ticket = case when $2 then null else nextval('belay.ticket') end, run_at = case when $2 then run_at else now() end
         where id = $1 and state = 'open'",
    )
    .bind::<BigInt, _>(id)
    .bind::<Bool, _>(later)
    .execute(conn)?;
    cut_off_uploads(conn, id)?;
    record(
        conn,
        &[Record {
            job: id,
            worker: None,
            tenant: job.tenant,
            attempt: job.attempt,
            event: "closed",
            was: Some(job.state),
            state: Some(now),
            actor: &actor.name,
            via: actor.via.as_str(),
            reason: None,
            detail: None,
        }],
    )?;
    hint_sleepers(conn)?;
    Ok(now)
}
