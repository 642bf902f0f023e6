//! The counters of one queue and kind, found once and kept: a busy worker reports a hundred thousand times a second.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use prometheus::{Histogram, IntCounter};

use crate::instance::Instance;
use crate::labels::{Guard, OTHER};
use crate::words::JobOutcome;

/// Most queues, and most kinds, with series of their own.
pub const MAX_NAMES: usize = 100;
/// Most pairs of queue and kind with series of their own.
pub const MAX_LANES: usize = 1000;

/// From this many durations on, a histogram is filled privately and added in one go.
const BATCH: usize = 8;

/// Counters of one queue and kind. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lane {
    claimed: IntCounter,
    wait: Histogram,
    finished: [IntCounter; JobOutcome::ALL.len()],
    run: Histogram,
}

impl Lane {
    fn new(instance: &Instance, queue: &str, kind: &str) -> Self {
        Self {
            claimed: instance.claimed.with_label_values(&[queue, kind]),
            wait: instance.wait.with_label_values(&[queue]),
            finished: JobOutcome::ALL.map(|outcome| {
                instance
                    .finished
                    .with_label_values(&[queue, kind, outcome.as_str()])
            }),
            run: instance.run.with_label_values(&[kind]),
        }
    }

    /// Attempts began: for each the seconds from when it could run to its claim.
    pub fn claimed(&self, waited_s: &[f64]) {
        self.claimed.inc_by(waited_s.len() as u64);
        observe(&self.wait, waited_s);
    }

    /// Attempts ended in this way: for each the seconds from its claim.
    pub fn finished(&self, outcome: JobOutcome, ran_s: &[f64]) {
        if let Some(counter) = self.finished.get(outcome as usize) {
            counter.inc_by(ran_s.len() as u64);
        }
        observe(&self.run, ran_s);
    }
}

fn observe(histogram: &Histogram, seconds: &[f64]) {
    // A clock that was set back must not make a sum fall: a falling sum reads as a restart.
    if seconds.len() < BATCH {
        for value in seconds {
            histogram.observe(value.max(0.0));
        }
    } else {
        let local = histogram.local();
        for value in seconds {
            local.observe(value.max(0.0));
        }
        local.flush();
    }
}

/// All lanes seen so far, held to [`MAX_NAMES`] queues and kinds and [`MAX_LANES`] pairs.
#[derive(Debug)]
pub(crate) struct Lanes {
    queues: Guard,
    kinds: Guard,
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_queue: HashMap<Box<str>, HashMap<Box<str>, Lane>>,
    pairs: usize,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        Self {
            queues: Guard::new(MAX_NAMES),
            kinds: Guard::new(MAX_NAMES),
            known: RwLock::default(),
        }
    }

    /// The queue as a label value.
    pub(crate) fn queue<'a>(&self, queue: &'a str) -> &'a str {
        self.queues.pass(queue)
    }

    pub(crate) fn get(&self, instance: &Instance, queue: &str, kind: &str) -> Lane {
        let (queue, kind) = (self.queues.pass(queue), self.kinds.pass(kind));
        let full = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(lane) = known.by_queue.get(queue).and_then(|kinds| kinds.get(kind)) {
                return lane.clone();
            }
            known.pairs >= MAX_LANES
        };
        let (queue, kind) = if full { (OTHER, OTHER) } else { (queue, kind) };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let Known { by_queue, pairs } = &mut *known;
        let lane = by_queue
            .entry(queue.into())
            .or_default()
            .entry(kind.into())
            .or_insert_with(|| {
                *pairs += 1;
                Lane::new(instance, queue, kind)
            });
        lane.clone()
    }
}
