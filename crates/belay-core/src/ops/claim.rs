//! Claim: a worker takes queued jobs of the lines it names.
//!
//! Locks with SKIP LOCKED, so it never waits, and updates the locked rows by `ctid`. A row that a cancel holds is passed
//! over; one that a cancel has changed is no longer queued. The update touches no indexed column, so it is a HOT update,
//! and the walk starts at a floor ticket, so it does not meet what was claimed before. A worker that was declared dead
//! gets nothing.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, SmallInt, Text, Timestamptz};

use crate::error::Result;
use crate::stmt::stmt;

/// A line in which jobs wait.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    /// From 0 (first) to 9 (last). First member, so that lines sort by it.
    pub priority: i16,
    /// The queue.
    pub queue: String,
    /// The kind.
    pub kind: String,
}

/// A line and the ticket from which to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFloor {
    /// The line.
    pub line: Line,
    /// Nothing left of this ticket is looked at.
    pub floor: i64,
}

/// A claimed job: the right, and the duty, to report on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// Number of the job.
    pub id: i64,
    /// Fence of this attempt; must accompany every report.
    pub fence: i32,
    /// Ticket with which it was claimed.
    pub ticket: i64,
    /// The line it came from.
    pub line: Line,
    /// This attempt, from 1.
    pub attempt: i16,
    /// Attempts allowed.
    pub max_attempts: i16,
    /// Tenant that owns it.
    pub tenant: i32,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Seconds from the moment it could have run until now.
    pub waited: f64,
    /// Seconds this attempt may take.
    pub timeout_s: Option<i32>,
    /// Seconds until the time of the whole job is over, if it has one; below 0 when it is over already.
    pub left_s: Option<f64>,
    /// JSON text.
    pub payload: String,
}

/// Columns of a claimed job, as the database has them.
pub(super) type Columns = (
    BigInt,
    Integer,
    Text,
    Text,
    SmallInt,
    BigInt,
    SmallInt,
    SmallInt,
    Integer,
    Timestamptz,
    Double,
    Nullable<Integer>,
    Nullable<Double>,
    Text,
);

/// The same, as they are read.
pub(super) type Row = (
    i64,
    i32,
    String,
    String,
    i16,
    i64,
    i16,
    i16,
    i32,
    DateTime<Utc>,
    f64,
    Option<i32>,
    Option<f64>,
    String,
);

/// The statement, for benchmarks that measure what it costs without this program around it. `$1` worker, `$2` queues, `$3` kinds,
/// `$4` priorities, `$5` floors, `$6` batch.
#[doc(hidden)]
pub const CLAIM_SQL: &str = "-- claim
with pick as materialized (
  select j.t from unnest($2, $3, $4, $5) f (queue, kind, priority, floor)
  cross join lateral (
    select ctid as t from belay.job
    where queue = f.queue and kind = f.kind and priority = f.priority and ticket >= f.floor and state = 'queued'
    order by ticket limit $6 for update skip locked) j
  where exists (select from belay.worker w where w.id = $1 and w.dead_at is null)
  limit $6)
update belay.job j
set state = 'running', worker = $1, attempt = attempt + 1, fence = fence + 1, claimed_at = now(), started_at = coalesce(started_at, now())
where j.ctid = any (array(select t from pick))
returning j.id, j.fence, j.queue, j.kind, j.priority, j.ticket, j.attempt, j.max_attempts, j.tenant, j.created_at,
          extract(epoch from now() - greatest(j.run_at, j.created_at))::float8, j.timeout_s,
          extract(epoch from j.started_at + j.job_timeout_s * interval '1 s' - now())::float8, j.payload::text";

/// Claims up to `batch` jobs for a worker, walking the lines in the order given. Answers them in the order of their tickets.
///
/// # Errors
/// Those of the database. An empty answer means: nothing right of the floors that is not locked, or the worker is dead.
pub fn claim(
    conn: &mut PgConnection,
    worker: i64,
    lines: &[LineFloor],
    batch: i32,
) -> Result<Vec<Claimed>> {
    if lines.is_empty() || batch < 1 {
        return Ok(Vec::new());
    }
    let rows = stmt::<Columns>(CLAIM_SQL)
        .bind::<BigInt, _>(worker)
        .bind::<Array<Text>, _>(lines.iter().map(|l| &l.line.queue).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(lines.iter().map(|l| &l.line.kind).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(lines.iter().map(|l| l.line.priority).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(lines.iter().map(|l| l.floor).collect::<Vec<_>>())
        .bind::<BigInt, _>(i64::from(batch))
        .load::<Row>(conn)?;
    Ok(in_order(rows))
}

/// What was claimed, in the order of priorities and tickets.
pub(super) fn in_order(mut rows: Vec<Row>) -> Vec<Claimed> {
    rows.sort_unstable_by_key(|row| (row.4, row.5));
    rows.into_iter().map(claimed).collect()
}

fn claimed(
    (
        id,
        fence,
        queue,
        kind,
        priority,
        ticket,
        attempt,
        max_attempts,
        tenant,
        created_at,
        waited,
        timeout_s,
        left_s,
        payload,
    ): Row,
) -> Claimed {
    Claimed {
        id,
        fence,
        ticket,
        line: Line {
            priority,
            queue,
            kind,
        },
        attempt,
        max_attempts,
        tenant,
        created_at,
        waited,
        timeout_s,
        left_s,
        payload,
    }
}

/// All lines that ever held a job.
///
/// # Errors
/// Those of the database.
pub fn lines(conn: &mut PgConnection) -> Result<Vec<Line>> {
    let rows = stmt::<(Text, Text, SmallInt)>(
        "-- lines\n select queue, kind, priority from belay.line order by priority, queue, kind",
    )
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

/// Which of these lines have a queued job right of their floor. Takes no lock, so a job that somebody else holds counts.
///
/// # Errors
/// Those of the database.
pub fn lines_with_work(conn: &mut PgConnection, lines: &[LineFloor]) -> Result<Vec<Line>> {
    let rows = stmt::<(Text, Text, SmallInt)>(
        "-- lines_with_work
         select f.queue, f.kind, f.priority from unnest($1, $2, $3, $4) f (queue, kind, priority, floor)
         where exists (select from belay.job j
                       where j.queue = f.queue and j.kind = f.kind and j.priority = f.priority and j.ticket >= f.floor and j.state = 'queued')",
    )
    .bind::<Array<Text>, _>(lines.iter().map(|l| &l.line.queue).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines.iter().map(|l| &l.line.kind).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(lines.iter().map(|l| l.line.priority).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|l| l.floor).collect::<Vec<_>>())
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

/// The last ticket given out. Read it *before* a claim: when that claim is empty, the floors may move to it plus one.
///
/// # Errors
/// Those of the database.
pub fn last_ticket(conn: &mut PgConnection) -> Result<i64> {
    Ok(stmt::<BigInt>("-- last_ticket\n select case when is_called then last_value else last_value - 1 end from belay.ticket").get_result(conn)?)
}
