//! Where a job comes from and what runs it: one value per line, shared by all its jobs.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

pub(crate) use belay_core::floors::Weight;
use belay_metrics::Lane;
use tokio::sync::Semaphore;

use crate::Backoff;
use crate::executors::{Executor, Prefetch};

/// How jobs of one kind are run.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) backoff: Backoff,
    pub(crate) weight: Weight,
}

/// What the claimed jobs of a kind that is claimed ahead take up.
#[derive(Debug)]
pub(crate) struct Ahead {
    /// Most jobs claimed and not answered for.
    pub(crate) window: usize,
    /// Jobs claimed and not answered for; parked reports do not count.
    pub(crate) out: AtomicUsize,
    /// A permit for each that may run at once.
    pub(crate) turns: Arc<Semaphore>,
}

impl Ahead {
    pub(crate) fn new(prefetch: Prefetch) -> Self {
        Self {
            window: prefetch.ahead.saturating_add(prefetch.at_once),
            out: AtomicUsize::new(0),
            turns: Arc::new(Semaphore::new(prefetch.at_once)),
        }
    }
}

/// The kind of a line's jobs, and their counters.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) kind: Arc<Kind>,
    pub(crate) lane: Lane,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executors::builtin::Noop;

    impl Source {
        /// A source of no-ops, for the tests of others.
        pub(crate) fn of_noops() -> Arc<Self> {
            Arc::new(Self {
                kind: Arc::new(Kind {
                    executor: Arc::new(Noop),
                    backoff: Backoff::default(),
                    weight: Weight::Light,
                }),
                lane: belay_metrics::Metrics::new()
                    .unwrap()
                    .lane("default", "noop"),
            })
        }
    }
}
