//! Force-cancel: an operator ends a job as `cancelled` without waiting for its worker. Recorded as such.
//!
//! Locks the one job and acts under the lock. The worker loses the job: its next heartbeat tells it to stop, and whatever it
//! still reports is stale. What its code does to the outside world until then cannot be undone, which is why this is the
//! last rung and needs the scope `admin`.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use serde_json::json;

use super::lock::{hint_worker, lock_one, not_unfinished};
use super::outcome::{Ending, Record, end, record};
use super::upload::delete_uploads;
use super::{Actor, CancelLimit, cancel_one, check_reason};
use crate::error::Result;
use crate::state::JobState;
use crate::stmt::stmt;

/// A job that was ended by force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forced {
    /// State before.
    pub was: JobState,
    /// The worker that may still be running its code.
    pub worker: Option<i64>,
}

/// Ends a job as cancelled, in the caller's transaction.
///
/// # Errors
/// [`crate::Error::Missing`], or [`crate::Error::Refused`] when it has finished.
pub fn force_cancel(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
    actor: &Actor,
    reason: Option<&str>,
) -> Result<Forced> {
    check_reason(reason)?;
    let Some(job) = lock_one(conn, tenant, id)? else {
        return Err(not_unfinished(conn, tenant, id, "cancelled by force"));
    };
    if !job.state.is_held() {
        cancel_one(conn, tenant, id, actor, reason, CancelLimit::Any)?;
        return Ok(Forced {
            was: job.state,
            worker: None,
        });
    }
    let line = |event, was, state, detail| Record {
        job: id,
        worker: job.worker,
        tenant: job.tenant,
        attempt: job.attempt,
        event,
        was: Some(was),
        state: Some(state),
        actor: &actor.name,
        via: actor.via.as_str(),
        reason,
        detail,
    };
    if job.state != JobState::Cancelling {
        stmt::<()>(
            "-- force_cancel
             update belay.job set state = 'cancelling', suspended_at = null, cancel_at = clock_timestamp(), cancel_actor = $2, cancel_reason = $3, cancel_via = $4
             where id = $1 and state in ('running', 'suspended')",
        )
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(&actor.name)
        .bind::<Nullable<Text>, _>(reason)
        .bind::<Text, _>(actor.via.as_str())
        .execute(conn)?;
        record(
            conn,
            &[line(
                "cancel_requested",
                job.state,
                JobState::Cancelling,
                None,
            )],
        )?;
    }
    record(
        conn,
        &[line(
            "cancelled",
            JobState::Cancelling,
            JobState::Cancelled,
            Some(json!({ "rung": "forced" })),
        )],
    )?;
    end(
        conn,
        &[Ending {
            id,
            state: JobState::Cancelled,
            rung: Some("forced"),
            error: None,
        }],
    )?;
    if job.kind == "ingest" {
        // Its load is rolled back when it finds that the job was taken away.
        delete_uploads(conn, &[id])?;
    }
    if let Some(worker) = job.worker {
        hint_worker(conn, worker)?;
    }
    Ok(Forced {
        was: job.state,
        worker: job.worker,
    })
}
