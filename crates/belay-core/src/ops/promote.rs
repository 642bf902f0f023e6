//! Promote: what was scheduled and is due joins the line.
//!
//! Picks and locks due rows with SKIP LOCKED, so it waits for nobody, and updates them by `ctid` in the same statement: a row
//! that a cancel holds is passed over, one that a cancel has removed is not found. The new ticket puts the job at the end of
//! its line.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer};

use super::lock::hint_sleepers;
use crate::error::Result;
use crate::stmt::stmt;

/// Moves up to `limit` due jobs into their lines and answers how many. Call again at once when it answers `limit`.
///
/// # Errors
/// Those of the database.
pub fn promote(conn: &mut PgConnection, limit: i32) -> Result<usize> {
    let moved = stmt::<BigInt>(
        "-- promote
         with p as materialized (
           select ctid as t from belay.job where ticket is null and not upload and run_at <= now() and state = 'scheduled'
           order by run_at limit $1 for update skip locked)
         update belay.job j set state = 'queued', ticket = nextval('belay.ticket')
         where j.ctid = any (array(select t from p)) and j.state = 'scheduled'
         returning j.id",
    )
    .bind::<Integer, _>(limit)
    .load::<i64>(conn)?
    .len();
    if moved > 0 {
        hint_sleepers(conn)?;
    }
    Ok(moved)
}
