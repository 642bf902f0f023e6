//! Where a job comes from and what runs it: one value per line, shared by all its jobs.

use std::sync::Arc;

use belay_metrics::Lane;

use crate::Backoff;
use crate::executors::Executor;

/// How jobs of one kind are run.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) backoff: Backoff,
    pub(crate) light: bool,
}

/// The kind of a line's jobs, and their counters.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) kind: Arc<Kind>,
    pub(crate) lane: Lane,
}

#[cfg(test)]
impl Source {
    /// A source of no-ops.
    pub(crate) fn of_noops() -> Arc<Self> {
        Arc::new(Self {
            kind: Arc::new(Kind {
                executor: Arc::new(crate::executors::builtin::Noop),
                backoff: Backoff::default(),
                light: true,
            }),
            lane: belay_metrics::Metrics::new()
                .unwrap()
                .lane("default", "noop"),
        })
    }
}
