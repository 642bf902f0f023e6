//! Sweep: finds queued jobs left of the floor.
//!
//! A ticket is taken before its transaction commits, so claims can run past a job that commits late. A sweep gives such a job
//! a ticket just ahead of the claims. It locks with SKIP LOCKED and updates by `ctid`, never waits, and changes no state.
//! Claimers never sweep: a sweep may walk over dead index entries and take long.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, SmallInt, Text};

use super::Line;
use crate::error::Result;
use crate::stmt::stmt;

/// A moment in the life of the ticket sequence. When every transaction below `next_xid` has ended, nothing can appear left
/// of `last_ticket` any more (except through COPY, which takes tickets before it has a transaction number).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepMark {
    /// Oldest transaction still running.
    pub oldest_xid: i64,
    /// Next transaction number to be given out.
    pub next_xid: i64,
    /// Last ticket given out.
    pub last_ticket: i64,
}

/// Takes a mark.
///
/// # Errors
/// Those of the database.
pub fn sweep_mark(conn: &mut PgConnection) -> Result<SweepMark> {
    let (oldest_xid, next_xid, last_ticket) = stmt::<(BigInt, BigInt, BigInt)>(
        "-- sweep_mark
         select pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint, last_value
         from belay.ticket",
    )
    .get_result(conn)?;
    Ok(SweepMark {
        oldest_xid,
        next_xid,
        last_ticket,
    })
}

/// Where to look in one line: from `low` up to, and without, `floor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepRange {
    /// The line.
    pub line: Line,
    /// First ticket looked at.
    pub low: i64,
    /// First ticket not looked at.
    pub floor: i64,
    /// Tickets given to what is found are not above this: the highest ticket claimed so far and a few thousand.
    pub front: i64,
}

/// Sweeps up to 1000 jobs in each of these ranges and answers the lines in which something was found, once per job.
///
/// # Errors
/// Those of the database.
pub fn sweep(conn: &mut PgConnection, ranges: &[SweepRange]) -> Result<Vec<Line>> {
    let rows = stmt::<(Text, Text, SmallInt)>(
        "-- sweep
         with p as materialized (
           select j.t from unnest($1, $2, $3, $4, $5) f (queue, kind, priority, low, floor)
           cross join lateral (
             select ctid as t from belay.job
             where queue = f.queue and kind = f.kind and priority = f.priority and ticket >= f.low and ticket < f.floor and state = 'queued'
             order by ticket limit 1000 for update skip locked) j)
         update belay.job j
         set ticket = least(nextval('belay.ticket'),
                            (select max(r.front) from unnest($1, $2, $3, $6) r (queue, kind, priority, front)
                             where r.queue = j.queue and r.kind = j.kind and r.priority = j.priority))
         where j.ctid = any (array(select t from p)) and j.state = 'queued'
         returning j.queue, j.kind, j.priority",
    )
    .bind::<Array<Text>, _>(ranges.iter().map(|r| &r.line.queue).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(ranges.iter().map(|r| &r.line.kind).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(ranges.iter().map(|r| r.line.priority).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(ranges.iter().map(|r| r.low).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(ranges.iter().map(|r| r.floor).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(ranges.iter().map(|r| r.front).collect::<Vec<_>>())
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
