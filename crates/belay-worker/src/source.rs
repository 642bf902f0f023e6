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
                    light: true,
                }),
                lane: belay_metrics::Metrics::new()
                    .unwrap()
                    .lane("default", "noop"),
            })
        }
    }
}
