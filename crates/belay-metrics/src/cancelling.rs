//! Jobs that are being stopped. Reads the partial index of such jobs, so its cost is that of the cancels in progress.

use std::time::Duration;

use belay_core::Result;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double};

/// Most cancels in progress that are counted.
const CAP: i64 = 100_000;

/// Cancels that have not ended their jobs yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, QueryableByName)]
pub struct Cancelling {
    /// How many, up to 100,000.
    #[diesel(sql_type = BigInt)]
    pub now: i64,
    /// How many of them have taken too long.
    #[diesel(sql_type = BigInt)]
    pub overdue: i64,
    /// Age of the oldest in seconds; 0 without any.
    #[diesel(sql_type = Double)]
    pub oldest_s: f64,
}

pub(crate) fn read(conn: &mut PgConnection, overdue_after: Duration) -> Result<Cancelling> {
    Ok(diesel::sql_query(
        "-- cancelling
         select count(*) as now, count(*) filter (where age > $1) as overdue, coalesce(max(age), 0)::float8 as oldest_s
         from (select extract(epoch from clock_timestamp() - cancel_at) as age from belay.job where cancel_at is not null limit $2) c",
    )
    .bind::<Double, _>(overdue_after.as_secs_f64())
    .bind::<BigInt, _>(CAP)
    .get_result(conn)?)
}
