//! The lease: one row per worker, renewed by one HOT update for all its jobs.
//!
//! A worker is alive until its row says dead. Marking it dead and renewing it lock the same row, so exactly one of them comes
//! first: a worker that was told it is alive had not been marked when its lease was renewed.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, SmallInt, Text};

use crate::error::Result;
use crate::state::{JobState, sql};
use crate::stmt::stmt;

/// A worker that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWorker {
    /// A name for people.
    pub name: String,
    /// The machine.
    pub host: String,
    /// Process number there.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// Queues it serves; `None` for all.
    pub queues: Option<Vec<String>>,
    /// Kinds it can run.
    pub kinds: Vec<String>,
    /// Jobs it runs at once.
    pub slots: u32,
    /// How long it may be silent before it counts as dead; 1 second to 1 hour.
    pub lease: Duration,
}

/// Registers a worker and answers its number.
///
/// # Errors
/// Those of the database.
pub fn register(conn: &mut PgConnection, worker: &NewWorker) -> Result<i64> {
    Ok(stmt::<BigInt>(
        "-- register_worker
         insert into belay.worker (name, host, pid, version, queues, kinds, slots, lease_ms) values ($1, $2, $3, $4, $5, $6, $7, $8) returning id",
    )
    .bind::<Text, _>(&worker.name)
    .bind::<Text, _>(&worker.host)
    .bind::<Integer, _>(i32::try_from(worker.pid).unwrap_or(0))
    .bind::<Text, _>(&worker.version)
    .bind::<Nullable<Array<Text>>, _>(&worker.queues)
    .bind::<Array<Text>, _>(&worker.kinds)
    .bind::<Integer, _>(i32::try_from(worker.slots).unwrap_or(i32::MAX))
    .bind::<Integer, _>(i32::try_from(worker.lease.as_millis()).unwrap_or(i32::MAX))
    .get_result(conn)?)
}

/// What a heartbeat says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Beat {
    /// Jobs held now.
    pub running: i32,
    /// Highest ticket claimed so far.
    pub ticket_ceiling: i64,
    /// Whether it claims nothing more and is about to end.
    pub stopping: bool,
}

/// Renews the lease. `false`: the worker has been declared dead, must stop all its work and register anew.
///
/// # Errors
/// Those of the database.
pub fn beat(conn: &mut PgConnection, worker: i64, beat: Beat) -> Result<bool> {
    let alive = stmt::<BigInt>(
        "-- beat
         update belay.worker set beat_at = clock_timestamp(), running = $2, ticket_ceiling = greatest(ticket_ceiling, $3), stopping = $4
         where id = $1 and dead_at is null and beat_at > clock_timestamp() - lease_ms * interval '1 ms' returning id",
    )
    .bind::<BigInt, _>(worker)
    .bind::<Integer, _>(beat.running)
    .bind::<BigInt, _>(beat.ticket_ceiling)
    .bind::<Bool, _>(beat.stopping)
    .get_result::<i64>(conn)
    .optional()?;
    Ok(alive.is_some())
}

/// What a worker must do about one of its jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// The job.
    pub id: i64,
    /// The fence it is held under.
    pub fence: i32,
    /// What is wanted.
    pub state: SignalState,
    /// How long ago that was accepted, by the database's clock.
    pub age: Duration,
}

/// The wish behind a [`Signal`]. A held job without a signal should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignalState {
    /// Stop it; somebody cancelled.
    Cancel {
        /// The reason given.
        reason: Option<String>,
    },
    /// Hold it still.
    Suspend,
}

/// Everything that is wanted of a worker now. Comes with every heartbeat; notifications only make it come sooner.
///
/// # Errors
/// Those of the database.
pub fn signals(conn: &mut PgConnection, worker: i64) -> Result<Vec<Signal>> {
    let rows = stmt::<(BigInt, Integer, sql::JobState, Nullable<Text>, Double)>(
        "-- signals
         select id, fence, state, cancel_reason, extract(epoch from clock_timestamp() - coalesce(cancel_at, suspended_at))::float8 from belay.job where (cancel_at is not null or suspended_at is not null) and worker = $1",
    )
    .bind::<BigInt, _>(worker)
    .load::<(i64, i32, JobState, Option<String>, f64)>(conn)?;
    Ok(rows
        .into_iter()
        .map(|(id, fence, state, reason, age)| Signal {
            id,
            fence,
            state: if state == JobState::Suspended {
                SignalState::Suspend
            } else {
                SignalState::Cancel { reason }
            },
            age: Duration::try_from_secs_f64(age).unwrap_or_default(),
        })
        .collect())
}

/// Of the jobs (id, fence) a worker believes to hold: those it does not hold any more, because they were rescued or ended by
/// an operator. Their work must stop at once.
///
/// # Errors
/// Those of the database.
pub fn lost(conn: &mut PgConnection, worker: i64, held: &[(i64, i32)]) -> Result<Vec<i64>> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    Ok(stmt::<BigInt>(
        "-- lost
         select x.id from unnest($2, $3) x (id, fence)
         where not exists (select from belay.job j where j.id = x.id and j.fence = x.fence and j.worker = $1)",
    )
    .bind::<BigInt, _>(worker)
    .bind::<Array<BigInt>, _>(held.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(held.iter().map(|(_, fence)| *fence).collect::<Vec<_>>())
    .load(conn)?)
}

/// Ends a worker's lease in good order: what it still holds, if anything, may be rescued at once.
///
/// # Errors
/// Those of the database.
pub fn stop(conn: &mut PgConnection, worker: i64) -> Result<()> {
    stmt::<()>("-- stop_worker\n update belay.worker set dead_at = clock_timestamp(), stopping = true, running = 0 where id = $1 and dead_at is null")
        .bind::<BigInt, _>(worker)
        .execute(conn)?;
    wake(conn, worker)
}

/// Says that a worker waits for a notification. It must look for work once more *after* this has committed, and call it outside any
/// transaction: who enqueues looks at the clock first, which therefore is set back only once the sleeper can be seen.
///
/// # Errors
/// Those of the database.
pub fn sleep(conn: &mut PgConnection, worker: i64) -> Result<()> {
    stmt::<()>("-- sleep\n insert into belay.sleeper (worker) select id from belay.worker where id = $1 and dead_at is null on conflict do nothing")
        .bind::<BigInt, _>(worker)
        .execute(conn)?;
    stmt::<()>("-- reset_clock\n select setval('belay.wake_clock', 0)").execute(conn)?;
    Ok(())
}

/// Says that a worker is busy and needs no notifications.
///
/// # Errors
/// Those of the database.
pub fn wake(conn: &mut PgConnection, worker: i64) -> Result<()> {
    stmt::<()>("-- wake\n delete from belay.sleeper where worker = $1")
        .bind::<BigInt, _>(worker)
        .execute(conn)?;
    Ok(())
}

/// Whether a background duty is due, that is, no node has run it within `every`; if so it is marked as run now by this
/// worker.
///
/// # Errors
/// Those of the database.
pub fn duty_due(conn: &mut PgConnection, name: &str, every: Duration, worker: i64) -> Result<bool> {
    let due = stmt::<SmallInt>(
        "-- duty_due
         insert into belay.duty as d (name, ran_at, worker) values ($1, clock_timestamp(), $3)
         on conflict (name) do update set ran_at = clock_timestamp(), worker = $3
           where d.ran_at < clock_timestamp() - $2 * interval '1 s' or d.ran_at > clock_timestamp() + interval '1 minute'
         returning 1::smallint",
    )
    .bind::<Text, _>(name)
    .bind::<Double, _>(every.as_secs_f64())
    .bind::<BigInt, _>(worker)
    .get_result::<i16>(conn)
    .optional()?;
    Ok(due.is_some())
}
