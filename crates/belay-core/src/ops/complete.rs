//! Complete: a batch of successes, the hottest report.
//!
//! Waits for the row locks, in ascending id order: with SKIP LOCKED a claimer that is re-checking a row would make 6-8 % of
//! a batch come back unresolved. Acts by `ctid`. A job that a cancel has reached ends as `cancelled` with a note that it
//! finished anyway; a row that changed between this statement's snapshot and its lock is not found by the act and stays as
//! it is: see [`unresolved`].

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer};

use crate::error::Result;
use crate::state::{JobState, sql};
use crate::stmt::stmt;

/// The statement, for benchmarks. `$1` worker, `$2` ids, `$3` fences.
#[doc(hidden)]
pub const COMPLETE_SQL: &str = "-- complete
with l as materialized (
  select y.* from (select * from unnest($2, $3) x (id, fence) order by id) x
  cross join lateral (select j.ctid as t, j.worker = $1 and j.state in ('running', 'cancelling') as held
                      from belay.job j where j.id = x.id and j.fence = x.fence for update) y),
d as (delete from belay.job j where j.ctid = any (array(select t from l where held)) returning j.*),
e as (
  insert into belay.job_event (job, worker, tenant, attempt, event, was, state, actor, via, reason, detail)
  select d.id, d.worker, d.tenant, d.attempt, 'cancelled', 'cancelling', 'cancelled', 'worker ' || d.worker, 'worker', d.cancel_reason,
         '{\"rung\": \"cooperative\", \"finished_anyway\": \"completed\"}'
  from d where d.state = 'cancelling')
insert into belay.job_done (id, worker, run_at, created_at, started_at, claimed_at, cancel_at, retry_of, tenant, was, state, fence, timeout_s, job_timeout_s,
  priority, attempt, max_attempts, queue, kind, created_by, created_via, unique_key, cancel_actor, cancel_reason, cancel_via, cancel_rung, last_error, payload)
select id, worker, run_at, created_at, started_at, claimed_at, cancel_at, retry_of, tenant, state,
  case state when 'cancelling' then 'cancelled' else 'completed' end::belay.job_state, fence, timeout_s, job_timeout_s,
  priority, attempt, max_attempts, queue, kind, created_by, created_via, unique_key, cancel_actor, cancel_reason, cancel_via,
  case state when 'cancelling' then 'cooperative' end::belay.cancel_rung, last_error, payload
from d returning id, state";

/// Completes jobs (id, fence) of a worker. Answers what each became; ids without an answer go to [`unresolved`].
///
/// # Errors
/// [`crate::Error::Busy`] when a lock was not had within the connection's lock timeout: nothing was done, send the batch
/// again in halves. [`crate::Error::Database`] otherwise.
pub fn complete(
    conn: &mut PgConnection,
    worker: i64,
    jobs: &[(i64, i32)],
) -> Result<Vec<(i64, JobState)>> {
    Ok(stmt::<(BigInt, sql::JobState)>(COMPLETE_SQL)
        .bind::<BigInt, _>(worker)
        .bind::<Array<BigInt>, _>(jobs.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(jobs.iter().map(|(_, fence)| *fence).collect::<Vec<_>>())
        .load(conn)?)
}

/// Of reports that got no answer: those whose job this worker still holds under that fence, with its state. They changed
/// just now (a cancel was being accepted) or are suspended; send the report again. What is absent here was lost to a rescue
/// or ended by an operator.
///
/// # Errors
/// Those of the database.
pub fn unresolved(
    conn: &mut PgConnection,
    worker: i64,
    jobs: &[(i64, i32)],
) -> Result<Vec<(i64, JobState)>> {
    Ok(stmt::<(BigInt, sql::JobState)>(
        "-- unresolved
         select j.id, j.state from unnest($2, $3) x (id, fence) cross join lateral
           (select k.id, k.state from belay.job k where k.id = x.id and k.fence = x.fence and k.worker = $1) j",
    )
    .bind::<BigInt, _>(worker)
    .bind::<Array<BigInt>, _>(jobs.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(jobs.iter().map(|(_, fence)| *fence).collect::<Vec<_>>())
    .load(conn)?)
}
