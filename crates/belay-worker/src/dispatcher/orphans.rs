//! Jobs that were claimed although the answer never came.
//!
//! When the connection breaks during a claim, the claim may have happened. Its jobs would then belong to a living worker that
//! does not know of them, and nobody would ever take them away. So the worker looks where that claim looked for jobs that it
//! holds, and gives back those it does not know. It looks twice, because the old server process may still be at it when the
//! new connection stands; its statement timeout ends that after ten seconds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use belay_core::ops::{Line, LineFloor, Rung, Verdict};
use belay_core::{Error, Result};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, SmallInt, Text};

use super::Dispatcher;
use crate::attempt::Key;
use crate::lease::Registration;
use crate::report::{Batch, Item};
use crate::source::Weight;

/// When to look, after the claim broke off.
const LOOK_AFTER: [Duration; 2] = [Duration::ZERO, Duration::from_secs(12)];
/// How long to wait after a look that failed.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How many looks may fail before the whole lease is given up.
const MAX_FAILURES: u32 = 6;
/// How far to look in each line. A claim takes the first jobs, but other workers may run many before them.
const DEPTH: i64 = 100_000;

/// Claims whose answer was lost.
#[derive(Debug)]
pub(super) struct Doubt {
    registration: Arc<Registration>,
    /// Where they looked.
    floors: HashMap<Line, i64>,
    next: Instant,
    since: Instant,
    looks: usize,
    failures: u32,
}

impl Doubt {
    /// When to look next.
    pub(super) fn next(&self) -> Instant {
        self.next
    }
}

#[derive(Debug, QueryableByName)]
struct HeldRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Integer)]
    fence: i32,
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = SmallInt)]
    priority: i16,
}

/// What a worker holds right of these floors. A read; takes no lock.
fn held(conn: &mut PgConnection, worker: i64, floors: &HashMap<Line, i64>) -> Result<Vec<HeldRow>> {
    let lines: Vec<(&Line, i64)> = floors.iter().map(|(line, floor)| (line, *floor)).collect();
    Ok(diesel::sql_query(
        "-- held_by_worker
         select j.id, j.fence, f.queue, f.kind, f.priority from unnest($2, $3, $4, $5) f (queue, kind, priority, floor)
         cross join lateral (
           select id, fence, worker from belay.job
           where queue = f.queue and kind = f.kind and priority = f.priority and ticket >= f.floor order by ticket limit $6) j
         where j.worker = $1",
    )
    .bind::<BigInt, _>(worker)
    .bind::<Array<Text>, _>(lines.iter().map(|(line, _)| &line.queue).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines.iter().map(|(line, _)| &line.kind).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(lines.iter().map(|(line, _)| line.priority).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|(_, floor)| *floor).collect::<Vec<_>>())
    .bind::<BigInt, _>(DEPTH)
    .load(conn)?)
}

impl Dispatcher {
    /// The answer to a claim was lost.
    pub(super) fn doubt_claim(&mut self, registration: &Arc<Registration>, offered: &[LineFloor]) {
        let before = self
            .doubt
            .take()
            .filter(|doubt| Arc::ptr_eq(&doubt.registration, registration));
        let mut floors = before.map_or_else(HashMap::new, |doubt| doubt.floors);
        for LineFloor { line, floor } in offered {
            let known = floors.entry(line.clone()).or_insert(*floor);
            *known = (*known).min(*floor);
        }
        let now = Instant::now();
        self.doubt = Some(Doubt {
            registration: Arc::clone(registration),
            floors,
            next: now,
            since: now,
            looks: 0,
            failures: 0,
        });
    }

    /// Looks for jobs of lost answers, when that is due. A look that fails holds back no claim.
    pub(super) fn resolve_doubt(&mut self, registration: &Arc<Registration>) -> Result<()> {
        let Some(mut doubt) = self.doubt.take() else {
            return Ok(());
        };
        if !Arc::ptr_eq(&doubt.registration, registration) {
            // What was claimed under a lost registration is rescued.
            return Ok(());
        }
        if Instant::now() < doubt.next {
            self.doubt = Some(doubt);
            return Ok(());
        }
        match self.release_orphans(&doubt) {
            Ok(()) => {
                doubt.looks += 1;
                if let Some(after) = LOOK_AFTER.get(doubt.looks) {
                    doubt.next = doubt.since + *after;
                    self.doubt = Some(doubt);
                }
                Ok(())
            }
            Err(error @ Error::Unreachable(_)) => {
                self.doubt = Some(doubt);
                Err(error)
            }
            Err(error) => {
                doubt.failures += 1;
                if doubt.failures >= MAX_FAILURES {
                    let why =
                        "it cannot find out what it holds after the answer to a claim was lost";
                    self.shared.lose(registration, why);
                    return Err(error);
                }
                tracing::warn!(%error, "looking for jobs of a lost answer failed; it is tried again");
                doubt.next = Instant::now() + AGAIN_AFTER;
                self.doubt = Some(doubt);
                Ok(())
            }
        }
    }

    fn release_orphans(&mut self, doubt: &Doubt) -> Result<()> {
        // This thread is the only one that claims, so what is known now is all that was answered. Read before the database
        // is asked, and running jobs before reports: a job goes from here to there. A job that is settled in between is not
        // found, and a report too many would be stale.
        let known: HashSet<Key> = self
            .shared
            .held
            .keys()
            .into_iter()
            .chain(self.shared.reports.keys())
            .collect();
        let worker = doubt.registration.id;
        let held = self
            .link
            .run(|s| s.run(|conn| held(conn, worker, &doubt.floors)))?;
        let mut items = Vec::new();
        for row in held {
            let key = (row.id, row.fence);
            let line = Line {
                priority: row.priority,
                queue: row.queue,
                kind: row.kind,
            };
            let Some(source) = self.sources.get(&line) else {
                continue;
            };
            if known.contains(&key) {
                continue;
            }
            items.push(Item {
                key,
                source: Arc::clone(source),
                verdict: Some(Box::new(Verdict::Stopped {
                    rung: Rung::Cooperative,
                    cause: "the answer to the claim was lost, so it was never started".into(),
                })),
                ran_s: 0.0,
                weight: Weight::Heavy,
                unsure: false,
                counted: false,
                tries: 0,
                job: None,
            });
        }
        if !items.is_empty() {
            tracing::warn!(
                jobs = items.len(),
                "the connection broke during a claim; jobs that were claimed by it and never started are given back"
            );
        }
        self.shared.reports.push(Batch {
            registration: Arc::clone(&doubt.registration),
            items,
        });
        Ok(())
    }
}
