//! The clock of the database, which decides when a job may run and when a key expires.

use belay_core::Result;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Timestamptz;

#[derive(QueryableByName)]
struct Now {
    #[diesel(sql_type = Timestamptz)]
    now: DateTime<Utc>,
}

/// What the database's clock says.
pub(crate) fn database_now(conn: &mut PgConnection) -> Result<DateTime<Utc>> {
    Ok(
        diesel::sql_query("-- database_now\n select clock_timestamp() as now")
            .get_result::<Now>(conn)?
            .now,
    )
}
