//! One locked job, as a value: whoever has it knows that the row is locked in this transaction.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt, Text};

use crate::error::{Error, Result};
use crate::state::{JobState, sql};
use crate::stmt::stmt;

/// An unfinished job whose row this transaction has locked.
#[derive(Debug)]
pub(super) struct Locked {
    pub(super) id: i64,
    pub(super) tenant: i32,
    pub(super) state: JobState,
    pub(super) worker: Option<i64>,
    pub(super) attempt: i16,
    pub(super) kind: String,
}

impl Locked {
    /// Why its state does not allow what was wished; `wish` is a participle, such as `suspended`.
    pub(super) fn refused(&self, wish: &str, why: &str) -> Error {
        Error::Refused {
            state: Some(self.state),
            message: format!(
                "job {} cannot be {wish}: it is {}, and {why}",
                self.id, self.state
            ),
        }
    }
}

/// Locks an unfinished job of a tenant (`None`: of any), waiting for whoever holds it. Answers `None` when there is no
/// such unfinished job.
pub(super) fn lock_one(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
) -> Result<Option<Locked>> {
    type Row = (Integer, sql::JobState, Nullable<BigInt>, SmallInt, Text);
    let row = stmt::<Row>(
        "-- lock_one
         select tenant, state, worker, attempt, kind from belay.job where id = $1 and ($2 is null or tenant = $2) for update",
    )
    .bind::<BigInt, _>(id)
    .bind::<Nullable<Integer>, _>(tenant)
    .get_result::<(i32, JobState, Option<i64>, i16, String)>(conn)
    .optional()?;
    Ok(row.map(|(tenant, state, worker, attempt, kind)| Locked {
        id,
        tenant,
        state,
        worker,
        attempt,
        kind,
    }))
}

/// State of a finished job of a tenant, if it is one. Ask after [`lock_one`] found nothing: the job may have finished while
/// that waited.
pub(super) fn finished_state(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
) -> Result<Option<JobState>> {
    Ok(stmt::<sql::JobState>("-- finished_state\n select state from belay.job_done where id = $1 and ($2 is null or tenant = $2)")
        .bind::<BigInt, _>(id)
        .bind::<Nullable<Integer>, _>(tenant)
        .get_result(conn)
        .optional()?)
}

/// The error for an unfinished job that was expected and is not there.
pub(super) fn not_unfinished(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
    wish: &str,
) -> Error {
    match finished_state(conn, tenant, id) {
        Ok(Some(state)) => Error::Refused {
            state: Some(state),
            message: format!("job {id} cannot be {wish}: it is {state}"),
        },
        Ok(None) => Error::missing(format!("job {id}")),
        Err(error) => error,
    }
}

/// Tells a worker that it has news. A hint: its next heartbeat brings the same.
pub(super) fn hint_worker(conn: &mut PgConnection, worker: i64) -> Result<()> {
    stmt::<()>("-- hint_worker\n select pg_notify('belay', 'stop ' || $1::text)")
        .bind::<BigInt, _>(worker)
        .execute(conn)?;
    Ok(())
}

/// Wakes sleeping workers because a job became queued by an update.
pub(super) fn hint_sleepers(conn: &mut PgConnection) -> Result<()> {
    stmt::<()>("-- hint_sleepers\n select belay.wake()::text").execute(conn)?;
    Ok(())
}
