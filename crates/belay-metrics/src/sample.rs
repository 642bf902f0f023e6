//! One look at the database, kept for a while and shared: a scrape costs the database the same however often it is made and
//! by however many.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use belay_core::model::{QueueRow, WorkerRow};
use belay_core::{Db, Result, query};

use crate::cancelling::{self, Cancelling};

/// Rows that counting jobs may look at.
const COUNT_CAP: i64 = 20_000;

/// What was found in the database.
#[derive(Debug, Clone)]
pub struct Reading {
    /// When it was found.
    pub at: Instant,
    /// Unfinished jobs by queue and state.
    pub jobs: Vec<QueueRow>,
    /// Workers.
    pub workers: Workers,
    /// Cancels that have not ended their jobs yet.
    pub cancelling: Cancelling,
    /// Age of the oldest snapshot that holds back vacuum, in seconds; 0 without one.
    pub oldest_snapshot_s: f64,
    /// Age of the oldest open transaction that has written, in seconds; 0 without one.
    pub oldest_writing_s: f64,
    /// Days, from tomorrow on, for which there is a partition for finished jobs.
    pub partitions_ahead: i32,
}

/// Workers by how they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Workers {
    /// Working, or waiting for work.
    pub alive: i64,
    /// Finishing what they hold and claiming nothing more.
    pub stopping: i64,
    /// Found dead and not forgotten yet. Those that ended in good order are not counted.
    pub dead: i64,
    /// Slots of those that are alive.
    pub slots: i64,
    /// Jobs held by those that are alive or stopping, at their last heartbeats.
    pub jobs: i64,
}

impl Workers {
    /// Rows that stand for programs outside are no workers to count on.
    fn count(rows: &[WorkerRow]) -> Self {
        let mut sum = Self::default();
        for row in rows.iter().filter(|row| !row.is_external()) {
            match (row.dead_at.is_some(), row.stopping) {
                (false, false) => {
                    sum.alive += 1;
                    sum.slots += i64::from(row.slots);
                    sum.jobs += i64::from(row.running);
                }
                (false, true) => {
                    sum.stopping += 1;
                    sum.jobs += i64::from(row.running);
                }
                (true, false) => sum.dead += 1,
                (true, true) => {}
            }
        }
        sum
    }
}

/// What is known of the database.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Whether the last look succeeded.
    pub up: bool,
    /// What the last look that succeeded found; `None` when none has yet.
    pub reading: Option<Arc<Reading>>,
    /// How long the last look took.
    pub took: Duration,
    /// Connections of the request pool, open in all and idle of those, at the last look.
    pub pool: (u32, u32),
    taken: Instant,
}

impl Sample {
    /// A sample taken now. For whoever reads the database in another way, and for tests.
    #[must_use]
    pub fn new(reading: Option<Arc<Reading>>, up: bool, took: Duration, pool: (u32, u32)) -> Self {
        Self {
            up,
            reading,
            took,
            pool,
            taken: Instant::now(),
        }
    }
}

/// Takes samples, at most one at a time and no more often than asked. Share it between all who ask.
#[derive(Debug)]
pub struct Sampler {
    db: Db,
    max_age: Duration,
    overdue_after: Option<Duration>,
    state: Mutex<State>,
    first: Condvar,
}

#[derive(Debug, Default)]
struct State {
    latest: Option<Arc<Sample>>,
    busy: bool,
}

impl Sampler {
    /// A sampler of a database whose samples are good for `max_age`.
    #[must_use]
    pub fn new(db: Db, max_age: Duration) -> Self {
        Self {
            db,
            max_age,
            overdue_after: None,
            state: Mutex::default(),
            first: Condvar::new(),
        }
    }

    /// Counts a cancel as overdue when it has not ended its job after this long. Unless set: after the grace period of its kind and
    /// the lease of its worker.
    #[must_use]
    pub fn overdue_after(mut self, after: Duration) -> Self {
        self.overdue_after = Some(after);
        self
    }

    /// The latest sample, taken now if it is older than the maximal age. Blocks while it takes one; whoever asks meanwhile
    /// gets the old one, and waits only when there is none yet. Never fails: a database that is away is a finding.
    #[must_use]
    pub fn sample(&self) -> Arc<Sample> {
        let mut state = self.lock();
        loop {
            match &state.latest {
                Some(latest) if state.busy || latest.taken.elapsed() < self.max_age => {
                    return Arc::clone(latest);
                }
                None if state.busy => {
                    state = self
                        .first
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                _ => break,
            }
        }
        state.busy = true;
        let old = state.latest.as_ref().and_then(|s| s.reading.clone());
        drop(state);
        // Gives way to the next one also when taking the sample panics.
        let turn = Turn(self);
        let sample = Arc::new(self.take(old));
        turn.0.lock().latest = Some(Arc::clone(&sample));
        sample
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whatever panicked, the state is one of its two valid ones.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, old: Option<Arc<Reading>>) -> Sample {
        let began = Instant::now();
        let read = self.read();
        if let Err(error) = &read {
            tracing::warn!(%error, "the figures for metrics could not be read");
        }
        let up = read.is_ok();
        let reading = read.ok().map(Arc::new).or(old);
        Sample::new(reading, up, began.elapsed(), self.db.pool_state())
    }

    fn read(&self) -> Result<Reading> {
        self.db.read(|conn| {
            let (oldest_snapshot_s, oldest_writing_s) = query::database_ages(conn)?;
            Ok(Reading {
                at: Instant::now(),
                jobs: query::queue_counts(conn, COUNT_CAP)?,
                workers: Workers::count(&query::workers(conn)?),
                cancelling: cancelling::read(conn, self.overdue_after)?,
                oldest_snapshot_s,
                oldest_writing_s,
                partitions_ahead: query::partitions_ahead(conn)?,
            })
        })
    }
}

struct Turn<'a>(&'a Sampler);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().busy = false;
        self.0.first.notify_all();
    }
}
