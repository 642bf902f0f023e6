//! Expire: ingest jobs that nobody closed, or that nobody ran, are aborted after a while.
//!
//! One job after the other, each in a transaction of its own: the row is locked with SKIP LOCKED, so nobody is waited for, and
//! cancelled in a second step, which deletes its data in the same transaction. A job that was claimed meanwhile is refused by the
//! limit of that cancel.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double};

use super::{Actor, CancelLimit, Via, allow_minutes, cancel_one};
use crate::error::Result;

/// What has been open, or waiting to be run, for longer than `$1` seconds. A time for which an open job is planned does not make it
/// younger: nobody closed it.
const IS_OLD: &str = "kind = 'ingest' and state in ('open', 'scheduled', 'queued')
           and case when state = 'open' then created_at else greatest(created_at, run_at) end < now() - $1 * interval '1 s'";

#[derive(QueryableByName)]
struct Old {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// Numbers of ingest jobs that have been open, or waiting to be run, for longer than `age`: up to `limit`, the lowest first. Looks
/// through all unfinished jobs, about a second for ten million: an index for this would be paid for by every enqueue.
///
/// # Errors
/// Those of the database.
pub fn old_ingest(conn: &mut PgConnection, age: Duration, limit: i64) -> Result<Vec<i64>> {
    let text =
        format!("-- old_ingest\n select id from belay.job where {IS_OLD} order by id limit $2");
    let old: Vec<Old> = diesel::sql_query(text)
        .bind::<Double, _>(age.as_secs_f64())
        .bind::<BigInt, _>(limit)
        .load(conn)?;
    Ok(old.into_iter().map(|old| old.id).collect())
}

/// Aborts one such job, unless it is none any more or somebody else has it locked. Answers whether it was aborted. May take minutes
/// when gigabytes were uploaded.
///
/// # Errors
/// Those of the database.
pub fn expire_ingest(conn: &mut PgConnection, age: Duration, id: i64) -> Result<bool> {
    let text = format!(
        "-- expire_ingest\n select id from belay.job where id = $2 and {IS_OLD} for update skip locked"
    );
    let old: Option<Old> = diesel::sql_query(text)
        .bind::<Double, _>(age.as_secs_f64())
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .optional()?;
    let Some(old) = old else {
        return Ok(false);
    };
    allow_minutes(conn)?;
    let actor = Actor::new("daemon", Via::Daemon);
    let reason = format!("neither closed nor run within {} s", age.as_secs());
    let limit = CancelLimit::Waiting;
    let answer = cancel_one(conn, None, old.id, &actor, Some(&reason), limit)?;
    Ok(answer.outcome.is_accepted())
}
