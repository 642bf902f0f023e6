//! Jobs that are being stopped. Reads the partial index of such jobs, so its cost is that of the cancels in progress;
//! kinds and workers are few.

use std::time::Duration;

use belay_core::Result;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Nullable};

/// Most cancels in progress that are counted.
const CAP: i64 = 100_000;

/// The lease of a worker whose row is gone: the usual one.
const LEASE: Duration = Duration::from_secs(15);

/// Cancels that have not ended their jobs yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, QueryableByName)]
pub struct Cancelling {
    /// How many, up to 100,000.
    #[diesel(sql_type = BigInt)]
    pub now: i64,
    /// How many of them have taken too long: longer than the grace period of their kind and the lease of their worker together.
    #[diesel(sql_type = BigInt)]
    pub overdue: i64,
    /// Age of the oldest in seconds; 0 without any.
    #[diesel(sql_type = Double)]
    pub oldest_s: f64,
}

pub(crate) fn read(conn: &mut PgConnection, overdue_after: Option<Duration>) -> Result<Cancelling> {
    Ok(diesel::sql_query(
        "-- cancelling
         select count(*) as now, count(*) filter (where age > coalesce($1, grace_s + lease_s)) as overdue,
           coalesce(max(age), 0)::float8 as oldest_s
         from (select extract(epoch from clock_timestamp() - j.cancel_at) as age, coalesce(k.grace_ms, 0) / 1000.0 as grace_s,
             coalesce(w.lease_ms / 1000.0, $3) as lease_s
           from (select kind, worker, cancel_at from belay.job where cancel_at is not null limit $2) j
           left join belay.kind k on k.name = j.kind left join belay.worker w on w.id = j.worker) c",
    )
    .bind::<Nullable<Double>, _>(overdue_after.map(|after| after.as_secs_f64()))
    .bind::<BigInt, _>(CAP)
    .bind::<Double, _>(LEASE.as_secs_f64())
    .get_result(conn)?)
}
