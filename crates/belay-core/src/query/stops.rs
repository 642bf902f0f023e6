//! How jobs whose cancel was accepted are being stopped.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};

use crate::error::Result;
use crate::model::Stop;
use crate::stmt::stmt;

/// Of these jobs those that are `cancelling`, by number, and what is done about them.
///
/// # Errors
/// Those of the database.
pub fn stops(conn: &mut PgConnection, jobs: &[i64]) -> Result<HashMap<i64, Stop>> {
    if jobs.is_empty() {
        return Ok(HashMap::new());
    }
    type Types = (
        BigInt,
        Text,
        Timestamptz,
        Nullable<Integer>,
        Nullable<Timestamptz>,
    );
    type Row = (
        i64,
        String,
        DateTime<Utc>,
        Option<i32>,
        Option<DateTime<Utc>>,
    );
    let rows = stmt::<Types>(
        "-- stops
         select j.id, coalesce(k.executor, ''), j.cancel_at, k.grace_ms,
           case when w.dead_at is null then w.beat_at + w.lease_ms * interval '1 ms' end
         from belay.job j left join belay.kind k on k.name = j.kind left join belay.worker w on w.id = j.worker
         where j.id = any ($1) and j.cancel_at is not null",
    )
    .bind::<Array<BigInt>, _>(jobs)
    .load::<Row>(conn)?;
    let stop = |(id, executor, since, grace_ms, lease_until): Row| {
        let grace = grace_ms.map(|ms| TimeDelta::milliseconds(i64::from(ms)));
        (
            id,
            Stop {
                executor,
                since,
                grace,
                lease_until,
            },
        )
    };
    Ok(rows.into_iter().map(stop).collect())
}
