//! The heartbeat of a remote worker: renews its lease, and locks nothing but its row.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer};

use crate::error::Result;
use crate::stmt::stmt;

/// What a heartbeat is told of the worker itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beaten {
    /// How long it may be silent from now on.
    pub lease: Duration,
    /// Whether an operator wants it to claim nothing more.
    pub drain: bool,
}

/// Renews the lease. `None`: the worker has been declared dead or was silent for too long; it must stop all its work.
///
/// # Errors
/// Those of the database.
pub fn beat(
    conn: &mut PgConnection,
    worker: i64,
    running: i32,
    stopping: bool,
) -> Result<Option<Beaten>> {
    let row = stmt::<(Integer, Bool)>(
        "-- remote_beat
         update belay.worker set beat_at = clock_timestamp(), running = $2, stopping = $3
         where id = $1 and dead_at is null and beat_at > clock_timestamp() - lease_ms * interval '1 ms' returning lease_ms, drain",
    )
    .bind::<BigInt, _>(worker)
    .bind::<Integer, _>(running)
    .bind::<Bool, _>(stopping)
    .get_result::<(i32, bool)>(conn)
    .optional()?;
    Ok(row.map(|(lease_ms, drain)| Beaten {
        lease: Duration::from_millis(u64::try_from(lease_ms).unwrap_or(0)),
        drain,
    }))
}
