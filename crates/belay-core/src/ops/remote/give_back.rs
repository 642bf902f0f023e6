//! Jobs that a remote worker was given and never heard of, because the answer to its claim was lost.
//!
//! First the worker's row is marked, under its lock: a claim that began before gives nothing after that. Then what the worker
//! holds is looked for, left of its highest ticket, which no claim lets fall behind; what the worker does not name is locked in
//! ascending id order and goes back to its line with its attempt. A cancel that came first ends such a job as `cancelled`.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, SmallInt, Timestamptz};
use serde_json::json;

use crate::error::Result;
use crate::ops::lock::hint_sleepers;
use crate::ops::outcome::{Record, record};
use crate::ops::{Report, Rung, Settled, Verdict, settle};
use crate::state::{Event, JobState, next};
use crate::stmt::stmt;

/// Most jobs in one transaction.
const BATCH: usize = 500;

const CAUSE: &str = "the answer to the claim was lost, so it was never started";

/// Marks that a worker asks for a check, and answers its mark. Claims that began under an older one give nothing from now on.
/// `None` when it is dead. Call it outside any transaction: the mark must be seen before the look.
///
/// # Errors
/// Those of the database.
pub fn begin_check(conn: &mut PgConnection, worker: i64) -> Result<Option<i32>> {
    Ok(stmt::<Integer>(
        "-- begin_check\n update belay.worker set checks = checks + 1 where id = $1 and dead_at is null returning checks",
    )
    .bind::<BigInt, _>(worker)
    .get_result(conn)
    .optional()?)
}

/// Gives back up to 500 jobs that a worker holds and does not name, in the caller's transaction. Answers how many; call it
/// again while that is 500.
///
/// # Errors
/// [`crate::Error::Busy`] when a lock was not had in time: nothing was done.
pub fn give_back(conn: &mut PgConnection, worker: i64, named: &[(i64, i32)]) -> Result<usize> {
    let named: HashSet<(i64, i32)> = named.iter().copied().collect();
    let mut unnamed: Vec<(i64, i32)> = held(conn, worker)?
        .into_iter()
        .filter(|key| !named.contains(key))
        .collect();
    unnamed.sort_unstable();
    unnamed.truncate(BATCH);
    if unnamed.is_empty() {
        return Ok(0);
    }
    let reports: Vec<Report> = unnamed
        .iter()
        .map(|(id, fence)| Report {
            id: *id,
            fence: *fence,
            verdict: Verdict::Stopped {
                rung: Rung::Cooperative,
                cause: CAUSE.into(),
            },
        })
        .collect();
    let settled = settle(conn, worker, &reports)?;
    // The locks are held until the end of the transaction.
    let suspended: Vec<i64> = reports
        .iter()
        .zip(&settled)
        .filter(|(_, settled)| **settled == Settled::Held)
        .map(|(report, _)| report.id)
        .collect();
    put_in_line(conn, worker, &suspended)?;
    Ok(settled
        .iter()
        .filter(|settled| **settled != Settled::Stale)
        .count())
}

/// What a worker holds. A read: whoever uses it locks and looks again.
fn held(conn: &mut PgConnection, worker: i64) -> Result<Vec<(i64, i32)>> {
    Ok(stmt::<(BigInt, Integer)>(
        "-- held_by_remote
         select j.id, j.fence from belay.worker w
         join belay.line l on l.kind = any (w.kinds) and (w.queues is null or l.queue = any (w.queues))
         cross join lateral (
           select id, fence, worker, state from belay.job
           where queue = l.queue and kind = l.kind and priority = l.priority and ticket <= w.ticket_ceiling order by ticket) j
         where w.id = $1 and j.worker = $1 and j.state in ('running', 'suspended', 'cancelling')",
    )
    .bind::<BigInt, _>(worker)
    .load(conn)?)
}

/// Puts locked suspended jobs back into their line.
fn put_in_line(conn: &mut PgConnection, worker: i64, jobs: &[i64]) -> Result<()> {
    let Some(now) = next(JobState::Suspended, Event::LeaseLost) else {
        return Ok(());
    };
    if jobs.is_empty() {
        return Ok(());
    }
    let rows = stmt::<(BigInt, Integer, SmallInt, Timestamptz)>(
        "-- give_back_suspended
         with x as (select id, tenant, attempt, claimed_at from belay.job where id = any ($1) and state = 'suspended' and worker = $2)
         update belay.job j
         set state = 'queued', worker = null, suspended_at = null, fence = fence + 1, ticket = nextval('belay.ticket'), attempt = j.attempt - 1
         from x where j.id = x.id and j.state = 'suspended' returning j.id, x.tenant, x.attempt, x.claimed_at",
    )
    .bind::<Array<BigInt>, _>(jobs)
    .bind::<BigInt, _>(worker)
    .load::<(i64, i32, i16, DateTime<Utc>)>(conn)?;
    let name = format!("worker {worker}");
    let records: Vec<Record<'_>> = rows
        .iter()
        .map(|(job, tenant, attempt, claimed_at)| Record {
            job: *job,
            worker: Some(worker),
            tenant: *tenant,
            attempt: *attempt,
            event: "released",
            was: Some(JobState::Suspended),
            state: Some(now),
            actor: &name,
            via: "worker",
            reason: None,
            detail: Some(json!({
                "claimed_at": claimed_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true), "cause": CAUSE, "rung": "cooperative"
            })),
        })
        .collect();
    record(conn, &records)?;
    hint_sleepers(conn)
}
