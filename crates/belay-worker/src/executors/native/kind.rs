//! A kind of job that is a closure.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use belay_core::Backoff;
use belay_core::ops::KindSpec;

use super::{Code, JobContext, JobError, NativeExecutor};
use crate::config::KindConfig;
use crate::executors::Prefetch;

/// How long a closure may take to stop unless said otherwise.
const GRACE: Duration = Duration::from_secs(10);

/// A kind of job and the closure that runs its jobs: for [`crate::WorkerBuilder::kind`].
///
/// Settings are checked when the worker starts.
pub struct Native {
    spec: KindSpec,
    executor: NativeExecutor,
}

impl Native {
    /// Jobs run by a synchronous closure, each on a thread of its own.
    pub fn sync<F>(name: impl Into<String>, run: F) -> Self
    where
        F: Fn(JobContext) -> Result<(), JobError> + Send + Sync + 'static,
    {
        Self::new(name.into(), Code::Sync(Arc::new(run)))
    }

    /// Jobs run by an asynchronous closure, as tasks of the worker's runtime (tokio, with time and I/O).
    pub fn asynchronous<F, R>(name: impl Into<String>, run: F) -> Self
    where
        F: Fn(JobContext) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        Self::new(
            name.into(),
            Code::Async(Arc::new(move |job| Box::pin(run(job)))),
        )
    }

    fn new(name: String, code: Code) -> Self {
        Self {
            spec: KindSpec::new(name, "native"),
            executor: NativeExecutor {
                code,
                grace: GRACE,
                can_suspend: false,
                prefetch: None,
            },
        }
    }

    /// Queue of jobs that name none; `default` unless set. The worker must serve it.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.spec.queue = queue.into();
        self
    }

    /// Priority of jobs that name none, 0 (first) to 9; 5 unless set.
    #[must_use]
    pub fn priority(mut self, priority: i16) -> Self {
        self.spec.priority = priority;
        self
    }

    /// Attempts of jobs that name none, 1 to 1000; 5 unless set.
    #[must_use]
    pub fn max_attempts(mut self, attempts: i16) -> Self {
        self.spec.max_attempts = attempts;
        self
    }

    /// How long an attempt may take before it is told to stop, up to a year, in whole seconds (a fraction counts as one more). No
    /// limit unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.spec.timeout_s = Some(seconds(timeout));
        self
    }

    /// How long a job may take from its first start, all attempts and the waits between them together; as [`Native::timeout`].
    #[must_use]
    pub fn job_timeout(mut self, timeout: Duration) -> Self {
        self.spec.job_timeout_s = Some(seconds(timeout));
        self
    }

    /// How long a failed attempt waits for the next; 1 second, doubling up to an hour, unless set.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.spec.backoff = backoff;
        self
    }

    /// How long a closure may take to stop when it is told to, up to 7 days; 10 seconds unless set. What happens then depends on the
    /// closure, see [the module](super#how-a-closure-is-stopped).
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.executor.grace = grace;
        self
    }

    /// Says that the closure holds still when it should ([`JobContext::wait_while_suspended`],
    /// [`JobContext::suspended`]). Without it, nobody may suspend its jobs.
    #[must_use]
    pub fn can_suspend(mut self) -> Self {
        self.executor.can_suspend = true;
        self
    }

    /// Lets the worker claim `ahead` jobs (1 to 100000) in batches before it starts them, and run `at_once` of them (1 to 10000) at the same
    /// time, beside its slots. For many short jobs, where the claim of each would cost more than its work. A job that waits for its turn
    /// counts as running, but is held by this worker alone; a cancel takes it out before any of its code runs, and so does the end of
    /// the worker.
    #[must_use]
    pub fn prefetch(mut self, ahead: usize, at_once: usize) -> Self {
        self.executor.prefetch = Some(Prefetch { ahead, at_once });
        self
    }
}

impl From<Native> for KindConfig {
    fn from(native: Native) -> Self {
        Self {
            spec: KindSpec {
                can_suspend: native.executor.can_suspend,
                grace: Some(native.executor.grace),
                ..native.spec
            },
            executor: Arc::new(native.executor),
        }
    }
}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Native")
            .field("spec", &self.spec)
            .field("executor", &self.executor)
            .finish()
    }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> i32 {
    let whole = time
        .as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0));
    i32::try_from(whole).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_second_counts_as_one_more() {
        for (ms, s) in [(0, 0), (1, 1), (1000, 1), (1001, 2)] {
            assert_eq!(seconds(Duration::from_millis(ms)), s);
        }
        assert_eq!(seconds(Duration::MAX), i32::MAX);
    }
}
