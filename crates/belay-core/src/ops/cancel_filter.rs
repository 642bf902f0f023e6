//! Cancel by filter, in chunks: each chunk is one transaction that locks its rows in ascending id order, so claimers and
//! reporters never wait long, and the walk can stop and go on anywhere.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use super::{Actor, check_reason};
use crate::error::Result;
use crate::state::{JobState, sql};
use crate::stmt::stmt;

/// Which unfinished jobs of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CancelFilter {
    /// Only this queue.
    pub queue: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only jobs that are in this state when their turn comes.
    pub state: Option<JobState>,
}

/// What one chunk did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Jobs looked at; fewer than the chunk's size means that the walk is over.
    pub seen: i32,
    /// Where the next chunk begins.
    pub after: i64,
    /// Cancels accepted.
    pub accepted: i32,
}

/// The highest id there is now: jobs enqueued after the start of a walk are not its business.
///
/// # Errors
/// Those of the database.
pub fn last_job_id(conn: &mut PgConnection) -> Result<i64> {
    Ok(
        stmt::<BigInt>("-- last_job_id\n select coalesce(max(id), 0) from belay.job")
            .get_result(conn)?,
    )
}

/// Cancels the next `size` matching jobs with ids above `after` and up to `last`.
///
/// # Errors
/// [`crate::Error::Busy`] when another transaction holds one of the jobs too long: call again with the same `after`.
#[expect(clippy::too_many_arguments, reason = "a range, a filter and who asks")]
pub fn cancel_chunk(
    conn: &mut PgConnection,
    tenant: i32,
    filter: &CancelFilter,
    after: i64,
    last: i64,
    size: i32,
    actor: &Actor,
    reason: Option<&str>,
) -> Result<Chunk> {
    check_reason(reason)?;
    let (seen, after, accepted) = stmt::<(Integer, BigInt, Integer)>(
        "-- cancel_chunk
         select n, hi, accepted from belay.op_cancel_chunk($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(last)
    .bind::<Integer, _>(tenant)
    .bind::<Nullable<Text>, _>(&filter.queue)
    .bind::<Nullable<Text>, _>(&filter.kind)
    .bind::<Nullable<sql::JobState>, _>(filter.state)
    .bind::<Text, _>(&actor.name)
    .bind::<Nullable<Text>, _>(reason)
    .bind::<Text, _>(actor.via.as_str())
    .bind::<Integer, _>(size)
    .get_result::<(i32, i64, i32)>(conn)?;
    Ok(Chunk {
        seen,
        after,
        accepted,
    })
}
