//! Claim for a remote worker.
//!
//! As the claim of the daemon's workers, with three differences. The worker's row is locked first, so a claim and the marking
//! as dead, or a check of what the worker holds, come one after the other, and the highest ticket and the number of jobs in
//! that row are never behind. A kind that is not run by remote workers gives nothing, whatever was true when the worker
//! registered. And with tenants only their jobs are given.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, SmallInt, Text};

use crate::error::Result;
use crate::ops::claim::{Columns, Row, in_order};
use crate::ops::{Claimed, LineFloor};
use crate::stmt::stmt;

macro_rules! claim_sql {
    ($name:literal, $tenants:literal) => {
        concat!(
            "-- ", $name, "
with me as materialized (
  select w.id from belay.worker w
  where w.id = $1 and w.dead_at is null and not w.drain and w.checks = $7 and w.beat_at > clock_timestamp() - w.lease_ms * interval '1 ms'
  for no key update),
pick as materialized (
  select j.t from unnest($2, $3, $4, $5) f (queue, kind, priority, floor)
  cross join lateral (
    select ctid as t from belay.job
    where queue = f.queue and kind = f.kind and priority = f.priority and ticket >= f.floor and state = 'queued'", $tenants, "
    order by ticket limit $6 for update skip locked) j
  where exists (select from me) and (select k.executor from belay.kind k where k.name = f.kind) = 'remote'
  limit $6),
taken as (
  update belay.job j
  set state = 'running', worker = $1, attempt = attempt + 1, fence = fence + 1, claimed_at = now(), started_at = coalesce(started_at, now())
  where j.ctid = any (array(select t from pick))
  returning j.id, j.fence, j.queue, j.kind, j.priority, j.ticket, j.attempt, j.max_attempts, j.tenant, j.created_at,
            extract(epoch from now() - greatest(j.run_at, j.created_at))::float8 as waited, j.timeout_s,
            extract(epoch from j.started_at + j.job_timeout_s * interval '1 s' - now())::float8 as left_s, j.payload::text as payload),
held as (
  update belay.worker w set running = w.running + t.n, ticket_ceiling = greatest(w.ticket_ceiling, t.ticket)
  from (select count(*)::integer as n, max(ticket) as ticket from taken) t where w.id = $1 and t.n > 0),
awake as (delete from belay.sleeper s where s.worker = $1 and exists (select from taken))
select id, fence, queue, kind, priority, ticket, attempt, max_attempts, tenant, created_at, waited, timeout_s, left_s, payload from taken"
        )
    };
}

/// The statement without tenants, for benchmarks. `$1` worker, `$2` queues, `$3` kinds, `$4` priorities, `$5` floors, `$6` batch,
/// `$7` checks.
#[doc(hidden)]
pub const CLAIM_SQL: &str = claim_sql!("claim_remote", "");
const CLAIM_OF_TENANTS: &str = claim_sql!("claim_remote_of_tenants", " and tenant = any ($8)");

/// Claims up to `batch` jobs for a remote worker, of these tenants or (`None`) of all, walking the lines in the order given.
/// `checks` is what [`crate::query::remote::standing`] said when the client asked: after a later check nothing is given. Waits
/// for another claim of the same worker.
///
/// # Errors
/// Those of the database. An empty answer means: nothing right of the floors that is not locked, or the worker is dead, is
/// drained, or has asked for a check.
pub fn claim(
    conn: &mut PgConnection,
    worker: i64,
    checks: i32,
    tenants: Option<&[i32]>,
    lines: &[LineFloor],
    batch: i32,
) -> Result<Vec<Claimed>> {
    if lines.is_empty() || batch < 1 {
        return Ok(Vec::new());
    }
    let sql = if tenants.is_some() {
        CLAIM_OF_TENANTS
    } else {
        CLAIM_SQL
    };
    let mut claim = stmt::<Columns>(sql)
        .bind::<BigInt, _>(worker)
        .bind::<Array<Text>, _>(lines.iter().map(|l| &l.line.queue).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(lines.iter().map(|l| &l.line.kind).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(lines.iter().map(|l| l.line.priority).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(lines.iter().map(|l| l.floor).collect::<Vec<_>>())
        .bind::<BigInt, _>(i64::from(batch))
        .bind::<Integer, _>(checks);
    if let Some(tenants) = tenants {
        claim = claim.bind::<Array<Integer>, _>(tenants);
    }
    Ok(in_order(claim.load::<Row>(conn)?))
}
