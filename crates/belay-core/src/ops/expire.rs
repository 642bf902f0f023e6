//! Expire: ingest jobs that nobody closed, or that nobody ran, are aborted after a while.
//!
//! Locks the rows in ascending id order with SKIP LOCKED, so it waits for nobody, and cancels the locked rows in a second step,
//! which deletes their data in the same transaction. A job that was claimed meanwhile is refused by the limit of that cancel.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double};

use super::{Actor, CancelLimit, Via, cancel_many};
use crate::error::Result;
use crate::stmt::stmt;

/// Aborts up to `limit` (at most [`super::MAX_CANCEL`]) ingest jobs that have been open, or waiting to be run, for longer than
/// `age`. Answers how many; call again at once when it answers `limit`.
///
/// # Errors
/// Those of the database.
pub fn expire_ingest(conn: &mut PgConnection, age: Duration, limit: i64) -> Result<usize> {
    let old = stmt::<BigInt>(
        "-- expire_ingest
         select id from belay.job
         where kind = 'ingest' and state in ('open', 'scheduled', 'queued') 
           and case when state = 'open' then created_at else greatest(created_at, run_at) end < now() - $1 * interval '1 s'
         order by id limit $2 for update skip locked",
    )
    .bind::<Double, _>(age.as_secs_f64())
    .bind::<BigInt, _>(limit)
    .load::<i64>(conn)?;
    if old.is_empty() {
        return Ok(0);
    }
    let actor = Actor::new("daemon", Via::Daemon);
    let reason = format!("neither closed nor run within {} s", age.as_secs());
    let answers = cancel_many(
        conn,
        None,
        &old,
        &actor,
        Some(&reason),
        CancelLimit::Waiting,
    )?;
    Ok(answers
        .iter()
        .filter(|answer| answer.outcome.is_accepted())
        .count())
}
