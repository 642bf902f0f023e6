//! Vacuum of the hot table: under load its heap grows with the time between two vacuums, and autovacuum comes only once a
//! minute by default. Locks no job.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::error::Result;
use crate::stmt::stmt;

/// Dead rows from which a vacuum is worth its while.
const MANY_DEAD: i64 = 100_000;

/// Vacuums `belay.job` when it has many dead rows, and answers whether it did. Needs a connection outside any transaction.
/// Skips the table when somebody else is vacuuming it.
///
/// # Errors
/// Those of the database.
pub fn vacuum_if_needed(conn: &mut PgConnection) -> Result<bool> {
    let dead: i64 = stmt::<BigInt>(
        "-- dead_rows\n select coalesce(pg_stat_get_dead_tuples('belay.job'::regclass), 0)",
    )
    .get_result(conn)?;
    if dead < MANY_DEAD {
        return Ok(false);
    }
    conn.batch_execute("vacuum (skip_locked, truncate off) belay.job")?;
    Ok(true)
}
