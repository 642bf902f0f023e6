//! What is asked about remote workers and their jobs.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, SmallInt, Text};

use crate::error::Result;
use crate::ops::{Line, LineFloor, remote};
use crate::state::{JobState, sql};
use crate::stmt::stmt;

/// A remote worker as it registered. None of this changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteWorker {
    /// Name of the API key it belongs to.
    pub key: String,
    /// Queues it serves; `None` for all.
    pub queues: Option<Vec<String>>,
    /// Kinds it can run.
    pub kinds: Vec<String>,
    /// How often it asked for a check so far. This one changes.
    pub checks: i32,
}

/// Reads a remote worker, living or dead; `None` when there is none of that number.
///
/// # Errors
/// Those of the database.
pub fn worker(conn: &mut PgConnection, id: i64) -> Result<Option<RemoteWorker>> {
    type Row = (String, Option<Vec<String>>, Vec<String>, i32);
    let row = stmt::<(Text, Nullable<Array<Text>>, Array<Text>, Integer)>(
        "-- remote_worker\n select key, queues, kinds, checks from belay.worker where id = $1 and key is not null",
    )
    .bind::<BigInt, _>(id)
    .get_result::<Row>(conn)
    .optional()?;
    Ok(row.map(|(key, queues, kinds, checks)| RemoteWorker {
        key,
        queues,
        kinds,
        checks,
    }))
}

/// How a remote worker stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether its lease runs.
    pub alive: bool,
    /// Whether an operator wants it to claim nothing more.
    pub drain: bool,
    /// How often it asked for a check.
    pub checks: i32,
}

/// How a worker stands; one that was forgotten is not alive.
///
/// # Errors
/// Those of the database.
pub fn standing(conn: &mut PgConnection, id: i64) -> Result<Standing> {
    let row = stmt::<(Bool, Bool, Integer)>(
        "-- remote_standing
         select dead_at is null and beat_at > clock_timestamp() - lease_ms * interval '1 ms', drain, checks from belay.worker where id = $1",
    )
    .bind::<BigInt, _>(id)
    .get_result::<(bool, bool, i32)>(conn)
    .optional()?;
    let (alive, drain, checks) = row.unwrap_or_default();
    Ok(Standing {
        alive,
        drain,
        checks,
    })
}

/// A job of a worker that somebody wants stopped or held still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// The job.
    pub id: i64,
    /// The fence it is held under.
    pub fence: i32,
    /// Whether it shall be held still; otherwise it was cancelled.
    pub suspend: bool,
    /// The reason that was given for the cancel.
    pub reason: Option<String>,
    /// Milliseconds that its kind gives it to stop.
    pub grace_ms: Option<i32>,
}

/// Everything that is wanted of a worker now, by number of the job.
///
/// # Errors
/// Those of the database.
pub fn signals(conn: &mut PgConnection, worker: i64) -> Result<Vec<Signal>> {
    type Row = (i64, i32, JobState, Option<String>, Option<i32>);
    let rows = stmt::<(
        BigInt,
        Integer,
        sql::JobState,
        Nullable<Text>,
        Nullable<Integer>,
    )>(
        "-- remote_signals
         select j.id, j.fence, j.state, j.cancel_reason, (select k.grace_ms from belay.kind k where k.name = j.kind) from belay.job j
         where (j.cancel_at is not null or j.suspended_at is not null) and j.worker = $1 order by j.id",
    )
    .bind::<BigInt, _>(worker)
    .load::<Row>(conn)?;
    Ok(rows
        .into_iter()
        .map(|(id, fence, state, reason, grace_ms)| Signal {
            id,
            fence,
            suspend: state == JobState::Suspended,
            reason,
            grace_ms,
        })
        .collect())
}

/// Of the jobs and fences that a worker believes to hold: those it does not hold any more.
///
/// # Errors
/// Those of the database.
pub fn lost(conn: &mut PgConnection, worker: i64, held: &[(i64, i32)]) -> Result<Vec<(i64, i32)>> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    Ok(stmt::<(BigInt, Integer)>(
        "-- remote_lost
         select x.id, x.fence from unnest($2, $3) x (id, fence)
         where not exists (select from belay.job j where j.id = x.id and j.fence = x.fence and j.worker = $1)",
    )
    .bind::<BigInt, _>(worker)
    .bind::<Array<BigInt>, _>(held.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(held.iter().map(|(_, fence)| *fence).collect::<Vec<_>>())
    .load(conn)?)
}

/// All lines of kinds that remote workers run.
///
/// # Errors
/// Those of the database.
pub fn lines(conn: &mut PgConnection) -> Result<Vec<Line>> {
    let rows = stmt::<(Text, Text, SmallInt)>(
        "-- remote_lines
         select l.queue, l.kind, l.priority from belay.line l
         where (select k.executor from belay.kind k where k.name = l.kind) = $1 order by l.priority, l.queue, l.kind",
    )
    .bind::<Text, _>(remote::EXECUTOR)
    .load::<(String, String, i16)>(conn)?;
    Ok(rows
        .into_iter()
        .map(|(queue, kind, priority)| Line {
            priority,
            queue,
            kind,
        })
        .collect())
}

/// The ticket of the first queued job of each of these lines, at or right of its floor, in their order; `None` where there is
/// none.
///
/// # Errors
/// Those of the database.
pub fn first_queued(conn: &mut PgConnection, lines: &[LineFloor]) -> Result<Vec<Option<i64>>> {
    Ok(stmt::<Nullable<BigInt>>(
        "-- first_queued
         select (select j.ticket from belay.job j
                 where j.queue = f.queue and j.kind = f.kind and j.priority = f.priority and j.ticket >= f.floor and j.state = 'queued'
                 order by j.ticket limit 1)
         from unnest($1, $2, $3, $4) with ordinality f (queue, kind, priority, floor, ord) order by f.ord",
    )
    .bind::<Array<Text>, _>(lines.iter().map(|l| &l.line.queue).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines.iter().map(|l| &l.line.kind).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(lines.iter().map(|l| l.line.priority).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|l| l.floor).collect::<Vec<_>>())
    .load(conn)?)
}
