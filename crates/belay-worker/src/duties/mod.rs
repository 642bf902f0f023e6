//! Background duties: one file each, idempotent, without input, safe to run on every node at once.
//!
//! Two threads with a connection each: one for what must come promptly (promote, rescue, sweep), one for what may take long
//! (lines, partitions, retention, forgotten keys, old uploads, vacuum). A ticker wakes them; they also wake by themselves, so that a ticker that
//! has vanished costs nothing.

mod idempotency;
mod ingest_age;
mod lines;
mod partitions;
mod promote;
mod rescue;
mod retention;
mod sweep;
mod ticker;
mod uploads;
mod vacuum;

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use belay_core::Result;
use belay_core::db::Role;
use belay_core::ops;
use chrono::{DateTime, Utc};

use crate::bell::{Bell, CHANGE, TICK};
use crate::link::Link;
use crate::shared::{Phase, Shared};

pub(crate) use ticker::start as start_ticker;

/// How a background duty ran last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DutyStatus {
    /// When.
    pub at: DateTime<Utc>,
    /// How long it took.
    pub took: Duration,
    /// What it did, or why it failed. One line.
    pub outcome: Result<String, String>,
}

/// What a duty works with.
struct Context<'a> {
    shared: &'a Arc<Shared>,
    link: &'a mut Link,
}

impl Context<'_> {
    /// Whether no node has run this duty within about `every`; marks it as run now.
    fn is_due(&mut self, name: &str, every: Duration) -> Result<bool> {
        let worker = self.shared.current().id;
        // A little less, or every second run would come a moment too early.
        let every = every.mul_f64(0.9);
        self.link
            .run(|s| s.run(|conn| ops::duty_due(conn, name, every, worker)))
    }
}

/// A background duty.
trait Duty: Send {
    /// Its name, as operators see it.
    fn name(&self) -> &'static str;

    /// Time from the end of its last run to its next.
    fn every(&self) -> Duration;

    /// Does what there is to do and says what it was; `None` when another node has done it, or there was nothing.
    fn run(&mut self, context: &mut Context<'_>) -> Result<Option<String>>;
}

/// Runs the duties that must come promptly.
pub(crate) fn run_prompt(shared: &Arc<Shared>) {
    // Floors are each worker's own, so each worker sweeps for itself.
    let mut duties: Vec<Box<dyn Duty>> = vec![Box::new(sweep::Sweep::new(Instant::now()))];
    if shared.config.duties {
        duties.push(Box::new(promote::Promote));
        duties.push(Box::new(rescue::Rescue::default()));
    }
    run(shared, &shared.bells.duties, duties);
}

/// Runs the duties that may take long.
pub(crate) fn run_chores(shared: &Arc<Shared>) {
    let duties: Vec<Box<dyn Duty>> = vec![
        Box::new(lines::Lines),
        Box::new(partitions::Partitions::default()),
        Box::new(retention::Retention),
        Box::new(idempotency::IdempotencyKeys),
        Box::new(ingest_age::IngestAge),
        Box::new(uploads::Uploads),
        Box::new(vacuum::Vacuum),
    ];
    run(shared, &shared.bells.chores, duties);
}

fn run(shared: &Arc<Shared>, bell: &Bell, duties: Vec<Box<dyn Duty>>) {
    let mut link = Link::new(&shared.db, Role::Duty, Duration::from_secs(2));
    let mut plan: Vec<(Box<dyn Duty>, Instant)> = duties
        .into_iter()
        .map(|duty| (duty, Instant::now()))
        .collect();
    while shared.phase.now() == Phase::Work {
        for (duty, next) in &mut plan {
            if *next <= Instant::now() && shared.phase.now() == Phase::Work {
                run_one(shared, &mut link, duty.as_mut());
                *next = Instant::now() + duty.every();
            }
        }
        let now = Instant::now();
        let wait = plan
            .iter()
            .map(|(_, next)| next.saturating_duration_since(now))
            .min()
            .unwrap_or(Duration::from_secs(1));
        bell.wait(TICK | CHANGE, wait.max(link.retry_in()));
    }
}

fn run_one(shared: &Arc<Shared>, link: &mut Link, duty: &mut dyn Duty) {
    let began = Instant::now();
    let outcome = duty.run(&mut Context { shared, link });
    let outcome = match outcome {
        Ok(Some(what)) => Ok(what),
        Ok(None) => return,
        Err(error) if error.is_transient() => {
            tracing::debug!(duty = duty.name(), %error, "a duty could not be done now");
            Err(error.to_string())
        }
        Err(error) => {
            tracing::error!(duty = duty.name(), %error, "a duty failed; it is tried again");
            Err(error.to_string())
        }
    };
    let status = DutyStatus {
        at: Utc::now(),
        took: began.elapsed(),
        outcome,
    };
    shared
        .duties
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(duty.name(), status);
}
