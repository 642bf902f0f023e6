//! Whether the partitions that jobs will finish into are there.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer};

use crate::error::Result;
use crate::stmt::stmt;

/// Whether the partitions of finished jobs and of events for today and tomorrow exist.
///
/// # Errors
/// Those of the database.
pub fn tomorrow_is_prepared(conn: &mut PgConnection) -> Result<bool> {
    Ok(stmt::<Bool>(
        "-- tomorrow_is_prepared
         select bool_and(to_regclass('belay.job_done_' || to_char(day, 'YYYYMMDD')) is not null
                     and to_regclass('belay.job_event_' || to_char(day, 'YYYYMM')) is not null)
         from (values (now() at time zone 'UTC'), (now() at time zone 'UTC' + interval '1 day')) d (day)",
    )
    .get_result(conn)?)
}

/// Days, from tomorrow on, for which a partition of finished jobs exists without a gap.
///
/// # Errors
/// Those of the database.
pub fn partitions_ahead(conn: &mut PgConnection) -> Result<i32> {
    Ok(stmt::<Integer>(
        "-- partitions_ahead
         select coalesce(min(d) - 1, 60)::integer from generate_series(1, 60) d
         where to_regclass('belay.job_done_' || to_char(now() at time zone 'UTC' + d * interval '1 day', 'YYYYMMDD')) is null",
    )
    .get_result(conn)?)
}
