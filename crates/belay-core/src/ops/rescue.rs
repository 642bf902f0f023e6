//! Rescue: takes jobs away from workers whose lease ran out.
//!
//! First the worker's row is marked dead, under its lock, so that a late heartbeat is refused; then its jobs are locked with
//! SKIP LOCKED and put back, each with a raised fence, so that whatever the old worker still reports is stale. A `cancelling`
//! job is not revived: its worker is gone, so it has stopped, and it ends as `cancelled`. Acts under the locks, in later
//! statements of the caller's transaction.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, SmallInt, Text, Timestamptz};
use serde_json::json;

use super::lock::hint_sleepers;
use super::outcome::{Ending, Record, end, record};
use crate::error::Result;
use crate::state::{Event, JobState, next, sql};
use crate::stmt::stmt;

/// A job whose worker was lost so many times while it ran is not run again: it may be what kills them.
pub const POISON_AFTER: i64 = 3;

/// The error kept on a job that was taken away from a dead worker.
const LOST: &str = "the worker's lease ran out";

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Jobs put back into their line.
    pub queued: usize,
    /// Jobs that had no attempt left.
    pub failed: usize,
    /// Jobs that had been cancelled.
    pub cancelled: usize,
}

impl Rescued {
    /// Jobs handled in all. Equal to the limit of the pass: there may be more.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.queued + self.failed + self.cancelled
    }
}

/// Marks every worker dead whose lease has run out, and answers their numbers. Skips those whose row is being renewed. Nobody
/// notifies them any more.
///
/// # Errors
/// Those of the database.
pub fn mark_dead(conn: &mut PgConnection) -> Result<Vec<i64>> {
    Ok(stmt::<BigInt>(
        "-- mark_dead
         with d as (
           update belay.worker w set dead_at = clock_timestamp()
           where id in (select id from belay.worker where dead_at is null and beat_at < clock_timestamp() - lease_ms * interval '1 ms'
                        order by id for update skip locked)
             and dead_at is null and beat_at < clock_timestamp() - lease_ms * interval '1 ms'
           returning id),
         s as (delete from belay.sleeper where worker in (select id from d))
         select id from d",
    )
    .load(conn)?)
}

#[derive(Debug)]
struct Orphan {
    id: i64,
    state: JobState,
    attempt: i16,
    max_attempts: i16,
    tenant: i32,
    worker: i64,
    claimed_at: DateTime<Utc>,
    cancel_reason: Option<String>,
}

/// Takes up to `limit` jobs away from dead workers, in the caller's transaction.
///
/// With `whole_line` every held job is looked at, otherwise only those at or left of the dead workers' last known tickets,
/// which is much faster under a long backlog but may miss what was claimed after the last heartbeat. Do the fast pass until
/// it finds nothing, then the whole one.
///
/// # Errors
/// Those of the database.
pub fn rescue(conn: &mut PgConnection, limit: i32, whole_line: bool) -> Result<Rescued> {
    let orphans = lock(conn, limit, whole_line)?;
    let lost = times_lost(conn, &orphans)?;
    let mut done = Rescued::default();
    let (mut endings, mut requeue, mut records) = (Vec::new(), Vec::new(), Vec::new());
    for job in &orphans {
        let times = 1 + lost.get(&job.id).copied().unwrap_or(0);
        // Held still it did nothing that could have hurt its worker.
        let poison = job.state == JobState::Running && times >= POISON_AFTER;
        let event = if poison || job.attempt >= job.max_attempts {
            Event::LeaseLostForGood
        } else {
            Event::LeaseLost
        };
        let Some(now) = next(job.state, event) else {
            continue;
        };
        match now {
            JobState::Queued => {
                done.queued += 1;
                // The attempt of a job that was only held still is given back.
                requeue.push((job.id, i16::from(job.state == JobState::Suspended)));
            }
            JobState::Failed => {
                done.failed += 1;
                endings.push(Ending {
                    id: job.id,
                    state: now,
                    rung: None,
                    error: Some(if poison {
                        format!("quarantined: {LOST}, {times} times while it ran")
                    } else {
                        LOST.into()
                    }),
                });
            }
            _ => {
                done.cancelled += 1;
                endings.push(Ending {
                    id: job.id,
                    state: now,
                    rung: Some("lease_lost"),
                    error: None,
                });
            }
        }
        records.push(Record {
            job: job.id,
            worker: Some(job.worker),
            tenant: job.tenant,
            attempt: job.attempt,
            event: match now {
                JobState::Cancelled => "cancelled",
                JobState::Failed if poison => "quarantined",
                _ => "lease_lost",
            },
            was: Some(job.state),
            state: Some(now),
            actor: "rescue",
            via: "daemon",
            reason: job.cancel_reason.as_deref(),
            detail: match now {
                JobState::Cancelled => Some(json!({ "rung": "lease_lost" })),
                JobState::Queued => Some(json!({ "claimed_at": job.claimed_at.to_rfc3339_opts(SecondsFormat::Micros, true) })),
                JobState::Failed if poison => Some(json!({ "cause": "poison", "leases_lost": times })),
                _ => None,
            },
        });
    }
    record(conn, &records)?;
    end(conn, &endings)?;
    put_in_line(conn, &requeue)?;
    Ok(done)
}

/// How often the leases of these running jobs were lost before, by the record.
fn times_lost(conn: &mut PgConnection, orphans: &[Orphan]) -> Result<HashMap<i64, i64>> {
    let ids: Vec<i64> = orphans
        .iter()
        .filter(|job| job.state == JobState::Running)
        .map(|job| job.id)
        .collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = stmt::<(BigInt, BigInt)>(
        "-- times_lost
         select e.job, count(*) from belay.job_event e where e.job = any ($1) and e.event = 'lease_lost' and e.was = 'running' group by 1",
    )
    .bind::<Array<BigInt>, _>(ids)
    .load::<(i64, i64)>(conn)?;
    Ok(rows.into_iter().collect())
}

fn lock(conn: &mut PgConnection, limit: i32, whole_line: bool) -> Result<Vec<Orphan>> {
    type Row = (
        BigInt,
        sql::JobState,
        SmallInt,
        SmallInt,
        Integer,
        BigInt,
        Timestamptz,
        Nullable<Text>,
    );
    let whole = "-- rescue_whole_line
         select id, state, attempt, max_attempts, tenant, worker, claimed_at, cancel_reason from belay.job
         where ticket is not null and state in ('running', 'suspended', 'cancelling')
           and worker = any (array(select id from belay.worker where dead_at is not null))
         limit $1 for update skip locked";
    let left = "-- rescue_left
         select j.* from (select coalesce(max(ticket_ceiling), 0) as ceiling from belay.worker where dead_at is not null) c, belay.line l
         cross join lateral (
           select id, state, attempt, max_attempts, tenant, worker, claimed_at, cancel_reason from belay.job
           where queue = l.queue and kind = l.kind and priority = l.priority and ticket <= c.ceiling
             and state in ('running', 'suspended', 'cancelling')
             and worker = any (array(select id from belay.worker where dead_at is not null))
           order by ticket limit $1 for update skip locked) j
         limit $1";
    let rows = stmt::<Row>(if whole_line { whole } else { left })
        .bind::<BigInt, _>(i64::from(limit))
        .load::<(
            i64,
            JobState,
            i16,
            i16,
            i32,
            i64,
            DateTime<Utc>,
            Option<String>,
        )>(conn)?;
    Ok(rows
        .into_iter()
        .map(
            |(id, state, attempt, max_attempts, tenant, worker, claimed_at, cancel_reason)| {
                Orphan {
                    id,
                    state,
                    attempt,
                    max_attempts,
                    tenant,
                    worker,
                    claimed_at,
                    cancel_reason,
                }
            },
        )
        .collect())
}

fn put_in_line(conn: &mut PgConnection, jobs: &[(i64, i16)]) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    stmt::<()>(
        "-- put_in_line
         update belay.job j
         set state = 'queued', worker = null, suspended_at = null, fence = fence + 1, ticket = nextval('belay.ticket'), last_error = $3,
             attempt = j.attempt - x.refund
         from unnest($1, $2) x (id, refund) where j.id = x.id and j.state in ('running', 'suspended')",
    )
    .bind::<Array<BigInt>, _>(jobs.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(jobs.iter().map(|(_, refund)| *refund).collect::<Vec<_>>())
    .bind::<Text, _>(LOST)
    .execute(conn)?;
    hint_sleepers(conn)
}

/// Forgets workers that have been dead for longer than `after` and hold nothing. `after` must be longer than any statement of
/// a worker can take (its statement timeout), because a claim that began before the death may still commit.
///
/// # Errors
/// Those of the database.
pub fn forget_dead(conn: &mut PgConnection, after: Duration) -> Result<usize> {
    Ok(stmt::<()>(
        "-- forget_dead
         delete from belay.worker w where dead_at < clock_timestamp() - $1 * interval '1 s'
           and not exists (select from belay.job j where j.ticket is not null and j.state in ('running', 'suspended', 'cancelling') and j.worker = w.id)",
    )
    .bind::<Double, _>(after.as_secs_f64())
    .execute(conn)?)
}
