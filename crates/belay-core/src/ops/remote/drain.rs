//! An operator wants a worker to claim nothing more. Locks nothing but its row.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::error::{Error, Result};
use crate::ops::lock::hint_worker;
use crate::stmt::stmt;

/// Says that a remote worker shall claim nothing more and end when its jobs are done. Its next heartbeat tells it, and it gets
/// no more jobs at once.
///
/// # Errors
/// [`Error::Missing`] when there is no such living worker; [`Error::Refused`] for the worker of a daemon, which is drained by
/// stopping the daemon.
pub fn drain(conn: &mut PgConnection, worker: i64) -> Result<()> {
    let drained = stmt::<BigInt>(
        "-- drain\n update belay.worker set drain = true where id = $1 and dead_at is null and key is not null returning id",
    )
    .bind::<BigInt, _>(worker)
    .get_result::<i64>(conn)
    .optional()?;
    if drained.is_some() {
        return hint_worker(conn, worker);
    }
    let found = stmt::<BigInt>(
        "-- drain_whom\n select id from belay.worker where id = $1 and dead_at is null",
    )
    .bind::<BigInt, _>(worker)
    .get_result::<i64>(conn)
    .optional()?;
    Err(match found {
        Some(_) => Error::Refused {
            state: None,
            message: format!(
                "worker {worker} belongs to a daemon, and ends its work when that daemon is stopped"
            ),
        },
        None => Error::missing(format!("living worker {worker}")),
    })
}
