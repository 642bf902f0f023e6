//! External work: a program outside of Belay takes one job that it names, and says later how it went.
//!
//! Such a program holds no connection and sends no heartbeats. So each start gives the job to a worker row of its own, whose
//! lease is as long as a lease can be; without a report within it the ordinary rescue takes the job back, and whatever the
//! program does then carries no weight, unless it was the same program that started it once more. Both operations lock the one job and act under the lock, so a claim, a cancel or a
//! rescue that came first wins.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

use super::lock::{Locked, lock_one, not_unfinished};
use super::outcome::{Record, record};
use super::{Actor, NewWorker, Report, Settled, Verdict, check_reason, register, settle};
use crate::error::Result;
use crate::model::EXTERNAL;
use crate::state::{Event, JobState, next};
use crate::stmt::stmt;

/// Kinds whose jobs nobody but the daemon can run: what they do, they do in its database.
const OWN: [&str; 3] = ["cancel_jobs", "ingest", "retry_jobs"];

/// How long an external worker may take: the longest lease there is.
pub const EXTERNAL_LEASE: Duration = Duration::from_secs(3600);

/// Gives a queued job to an external worker, and answers the number of the worker row that holds it now.
///
/// # Errors
/// [`crate::Error::Missing`]; [`crate::Error::Refused`] when it is not queued, or of a kind that only the daemon can run.
pub fn start_external(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
    actor: &Actor,
) -> Result<i64> {
    let Some(job) = lock_one(conn, tenant, id)? else {
        return Err(not_unfinished(conn, tenant, id, "started"));
    };
    let Some(now) = next(job.state, Event::Claim) else {
        return Err(job.refused("started", "only a queued job can be"));
    };
    if OWN.contains(&job.kind.as_str()) {
        let why = format!("jobs of the kind {} are run by the daemon itself", job.kind);
        return Err(job.refused("started", &why));
    }
    let worker = register(
        conn,
        &NewWorker {
            name: name_of(actor),
            host: "elsewhere".into(),
            pid: 0,
            version: env!("CARGO_PKG_VERSION").into(),
            queues: None,
            kinds: Vec::new(),
            slots: 0,
            lease: EXTERNAL_LEASE,
        },
    )?;
    let ticket = stmt::<BigInt>(
        "-- start_external
         update belay.job j
         set state = 'running', worker = $2, attempt = attempt + 1, fence = fence + 1, claimed_at = c.at, started_at = coalesce(started_at, c.at)
         from (select clock_timestamp() as at) c where j.id = $1 and j.state = 'queued' returning j.ticket",
    )
    .bind::<BigInt, _>(id)
    .bind::<BigInt, _>(worker)
    .get_result::<i64>(conn)?;
    // The rescue looks left of the tickets of dead workers first.
    stmt::<()>(
        "-- external_holds\n update belay.worker set running = 1, ticket_ceiling = $2 where id = $1",
    )
    .bind::<BigInt, _>(worker)
    .bind::<BigInt, _>(ticket)
    .execute(conn)?;
    let event = Held {
        id,
        tenant: job.tenant,
        worker,
        attempt: job.attempt + 1,
        state: now,
    };
    event.record(conn, "started_externally", actor, None)?;
    Ok(worker)
}

/// Settles a job that an external worker holds, and answers the state it ended in: `cancelled` when a cancel came first,
/// whatever the verdict. `comment` goes on record with the report.
///
/// # Errors
/// [`crate::Error::Missing`]; [`crate::Error::Invalid`] for the comment; [`crate::Error::Refused`] when no external worker of this actor holds it, or
/// it is suspended.
pub fn finish_external(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
    actor: &Actor,
    verdict: Verdict,
    comment: Option<&str>,
) -> Result<JobState> {
    check_reason(comment)?;
    let wish = "reported on";
    let Some(job) = lock_one(conn, tenant, id)? else {
        return Err(not_unfinished(conn, tenant, id, wish));
    };
    let Some((worker, fence)) = external_holder(conn, &job, actor)? else {
        return Err(job.refused(wish, "no external worker of the same name holds it"));
    };
    let event = Held {
        id,
        tenant: job.tenant,
        worker,
        attempt: job.attempt,
        state: job.state,
    };
    event.record(conn, "reported", actor, comment)?;
    let report = Report { id, fence, verdict };
    let settled = settle(conn, worker, std::slice::from_ref(&report))?;
    match settled.first() {
        Some(Settled::Now(state)) => {
            // It held this one job and will never hold another.
            stmt::<()>("-- forget_external\n delete from belay.worker where id = $1")
                .bind::<BigInt, _>(worker)
                .execute(conn)?;
            Ok(*state)
        }
        _ => Err(job.refused(wish, "it has to go on first")),
    }
}

/// The worker's name. Reports carry no fence, so at least whoever reports must be whoever started: another program that
/// thinks it still holds the job must not end the work of the one that does.
fn name_of(actor: &Actor) -> String {
    format!("{EXTERNAL}{}", actor.name)
}

/// The external worker of that actor that holds a locked job, and the fence.
fn external_holder(
    conn: &mut PgConnection,
    job: &Locked,
    actor: &Actor,
) -> Result<Option<(i64, i32)>> {
    let (worker, fence, external) = stmt::<(Nullable<BigInt>, Integer, Bool)>(
        "-- external_holder
         select j.worker, j.fence, exists (select from belay.worker w where w.id = j.worker and w.slots = 0 and w.name = $2)
         from belay.job j where j.id = $1",
    )
    .bind::<BigInt, _>(job.id)
    .bind::<Text, _>(name_of(actor))
    .get_result::<(Option<i64>, i32, bool)>(conn)?;
    Ok(worker.filter(|_| external).map(|worker| (worker, fence)))
}

/// A job in the hands of an external worker.
struct Held {
    id: i64,
    tenant: i32,
    worker: i64,
    attempt: i16,
    state: JobState,
}

impl Held {
    /// Writes who spoke for the worker. Not a transition: those are recorded as they are for any worker.
    fn record(
        &self,
        conn: &mut PgConnection,
        event: &'static str,
        actor: &Actor,
        comment: Option<&str>,
    ) -> Result<()> {
        record(
            conn,
            &[Record {
                job: self.id,
                worker: Some(self.worker),
                tenant: self.tenant,
                attempt: self.attempt,
                event,
                was: Some(self.state),
                state: Some(self.state),
                actor: &actor.name,
                via: actor.via.as_str(),
                reason: comment,
                detail: None,
            }],
        )
    }
}
