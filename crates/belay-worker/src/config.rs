//! What a worker can be told.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use belay_core::ops::KindSpec;

use crate::error::WorkerError;
use crate::executors::Executor;

/// Settings of a worker. [`WorkerConfig::new`] fills in the defaults.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// A name for people, 1 to 200 characters.
    pub name: String,
    /// Queues it serves; `None` for all.
    pub queues: Option<Vec<String>>,
    /// Heavy jobs at once, 0 to 10000; 32 by default.
    pub slots: u32,
    /// Light jobs claimed and not reported yet, 1 to 100000; 2000 by default.
    pub light_window: usize,
    /// Most jobs in one claim, 1 to 1000; 500 by default.
    pub batch: i32,
    /// How long the worker may be silent before others take its jobs, 1 s to 1 h and at least four beats; 15 s by default.
    pub lease: Duration,
    /// Time between heartbeats, from 10 ms; 1 s by default.
    pub beat: Duration,
    /// Longest time between two looks for work, 1 ms to 1 minute; 250 ms by default.
    pub poll_max: Duration,
    /// How long running jobs may go on after [`crate::Worker::drain`], up to 7 days; 30 s by default.
    pub drain: Duration,
    /// How long finished jobs and the record are kept.
    pub retention: Retention,
    /// How long an ingest job may be open, or wait to be loaded, before it is aborted, from 1 minute; 7 days by default.
    pub ingest_max_age: Duration,
    /// What this worker can run.
    pub kinds: Vec<KindConfig>,
    /// Kinds that it makes known and does not run: workers elsewhere do.
    pub declared: Vec<KindSpec>,
    /// Whether it takes part in the background duties: promoting, rescuing, sweeping, pruning.
    pub duties: bool,
    /// Whether it listens for notifications. Without, everything works a little later.
    pub listen: bool,
}

/// How long things are kept. Whole partitions are dropped, so everything is kept up to a day (jobs) or a month (events) longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Finished jobs, from 1 hour; 30 days by default.
    pub jobs: Duration,
    /// The record, from 1 hour; 90 days by default.
    pub events: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            jobs: DAY * 30,
            events: DAY * 90,
        }
    }
}

/// A kind of job and how it is run.
#[derive(Debug, Clone)]
pub struct KindConfig {
    /// What is registered for those who enqueue.
    pub spec: KindSpec,
    /// What runs it.
    pub executor: Arc<dyn Executor>,
}

impl KindConfig {
    /// A kind in the queue `default`, priority 5, with 5 attempts, no timeout and the default backoff.
    pub fn new(
        name: impl Into<String>,
        executor_name: impl Into<String>,
        executor: Arc<dyn Executor>,
    ) -> Self {
        Self {
            spec: KindSpec {
                can_suspend: executor.can_suspend(),
                grace: executor.grace(),
                ..KindSpec::new(name, executor_name)
            },
            executor,
        }
    }
}

impl WorkerConfig {
    /// The defaults, with the kinds that need no configuration.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            queues: None,
            slots: 32,
            light_window: 2000,
            batch: 500,
            lease: Duration::from_secs(15),
            beat: Duration::from_secs(1),
            poll_max: Duration::from_millis(250),
            drain: Duration::from_secs(30),
            retention: Retention::default(),
            ingest_max_age: Duration::from_secs(7 * 24 * 60 * 60),
            kinds: crate::builtin_kinds(),
            declared: Vec::new(),
            duties: true,
            listen: true,
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`WorkerError::Invalid`] for the first that is not allowed.
    pub fn check(&self) -> Result<(), WorkerError> {
        let length = self.name.chars().count();
        if !(1..=200).contains(&length) || self.name.contains('\0') {
            return Err(WorkerError::invalid(
                "name",
                format!(
                    "name has {length} characters: it must have 1 to 200, and no NUL among them"
                ),
            ));
        }
        if self.queues.as_ref().is_some_and(Vec::is_empty) {
            return Err(WorkerError::invalid(
                "queues",
                "queues is an empty list, so the worker would serve nothing: leave it out to serve all queues",
            ));
        }
        if let Some(name) = self
            .queues
            .iter()
            .flatten()
            .find(|name| !is_queue_name(name))
        {
            return Err(WorkerError::invalid(
                "queues",
                format!(
                    "no queue can be named {name:?}: a name has 1 to 100 letters, digits and . _ : - and begins with a letter or digit"
                ),
            ));
        }
        range("slots", self.slots, 0, 10_000)?;
        range("light_window", self.light_window, 1, 100_000)?;
        range("batch", self.batch, 1, 1000)?;
        self.check_times()?;
        self.check_kinds()
    }

    fn check_times(&self) -> Result<(), WorkerError> {
        let ms = Duration::from_millis;
        let s = Duration::from_secs;
        time("lease", self.lease, s(1), s(3600))?;
        time("beat", self.beat, ms(10), s(900))?;
        time("poll_max", self.poll_max, ms(1), s(60))?;
        time("drain", self.drain, Duration::ZERO, s(7 * 24 * 3600))?;
        time(
            "retention.jobs",
            self.retention.jobs,
            s(3600),
            Duration::MAX,
        )?;
        time(
            "retention.events",
            self.retention.events,
            s(3600),
            Duration::MAX,
        )?;
        time("ingest.max_age", self.ingest_max_age, s(60), Duration::MAX)?;
        if self.lease < self.beat * 4 {
            return Err(WorkerError::invalid(
                "lease",
                format!(
                    "lease is {:?} and beat is {:?}: a lease must be at least four beats long, so that a lost beat does not end it",
                    self.lease, self.beat
                ),
            ));
        }
        Ok(())
    }

    fn check_kinds(&self) -> Result<(), WorkerError> {
        let mut names = HashSet::new();
        for kind in &self.kinds {
            let name = &kind.spec.name;
            if !names.insert(name) {
                return Err(WorkerError::invalid(
                    "kinds",
                    format!("the kind {name:?} is there twice"),
                ));
            }
            if kind.spec.can_suspend && !kind.executor.can_suspend() {
                return Err(WorkerError::invalid(
                    "kinds",
                    format!(
                        "the kind {name:?} says that its jobs can be suspended, but its executor cannot hold them still"
                    ),
                ));
            }
            if let Some(prefetch) = kind.executor.prefetch() {
                range("prefetch.ahead", prefetch.ahead, 1, 100_000)?;
                range("prefetch.at_once", prefetch.at_once, 1, 10_000)?;
            }
            if let Some(fault) = kind.spec.backoff.fault() {
                return Err(WorkerError::invalid(
                    "kinds",
                    format!("the backoff of kind {name:?} {fault}"),
                ));
            }
        }
        for spec in &self.declared {
            if !names.insert(&spec.name) {
                return Err(WorkerError::invalid(
                    "kinds",
                    format!("the kind {:?} is there twice", spec.name),
                ));
            }
            if let Some(fault) = spec.backoff.fault() {
                return Err(WorkerError::invalid(
                    "kinds",
                    format!("the backoff of kind {:?} {fault}", spec.name),
                ));
            }
        }
        Ok(())
    }
}

/// The rule that the database keeps as well.
fn is_queue_name(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'))
}

fn range<T: Copy + PartialOrd + std::fmt::Display>(
    setting: &'static str,
    value: T,
    min: T,
    max: T,
) -> Result<(), WorkerError> {
    if value < min || value > max {
        return Err(WorkerError::invalid(
            setting,
            format!("{setting} is {value}, it must be from {min} to {max}"),
        ));
    }
    Ok(())
}

fn time(
    setting: &'static str,
    value: Duration,
    min: Duration,
    max: Duration,
) -> Result<(), WorkerError> {
    if value < min {
        return Err(WorkerError::invalid(
            setting,
            format!("{setting} is {value:?}, it must be at least {min:?}"),
        ));
    }
    if value > max {
        return Err(WorkerError::invalid(
            setting,
            format!("{setting} is {value:?}, it must be at most {max:?}"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut WorkerConfig)) -> &'static str {
        let mut config = WorkerConfig::new("test");
        change(&mut config);
        match config.check() {
            Err(WorkerError::Invalid { setting, .. }) => setting,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn the_defaults_are_accepted() {
        WorkerConfig::new("test").check().unwrap();
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        assert_eq!(refused(|c| c.name.clear()), "name");
        assert_eq!(refused(|c| c.queues = Some(Vec::new())), "queues");
        for name in ["", "a b", "-a", "ä", &"a".repeat(101)] {
            assert_eq!(refused(|c| c.queues = Some(vec![name.into()])), "queues");
        }
        assert_eq!(refused(|c| c.slots = 10_001), "slots");
        assert_eq!(refused(|c| c.light_window = 0), "light_window");
        assert_eq!(refused(|c| c.batch = 0), "batch");
        assert_eq!(refused(|c| c.lease = Duration::from_millis(999)), "lease");
        assert_eq!(refused(|c| c.lease = Duration::from_secs(3)), "lease");
        assert_eq!(refused(|c| c.lease = Duration::from_secs(3601)), "lease");
        assert_eq!(refused(|c| c.beat = Duration::ZERO), "beat");
        assert_eq!(refused(|c| c.poll_max = Duration::ZERO), "poll_max");
        assert_eq!(refused(|c| c.drain = Duration::MAX), "drain");
        assert_eq!(
            refused(|c| c.retention.jobs = Duration::ZERO),
            "retention.jobs"
        );
        assert_eq!(
            refused(|c| c.retention.events = Duration::ZERO),
            "retention.events"
        );
        assert_eq!(
            refused(|c| c.ingest_max_age = Duration::ZERO),
            "ingest.max_age"
        );
    }

    #[test]
    fn kinds_must_be_sound() {
        assert_eq!(refused(|c| c.kinds.extend(crate::builtin_kinds())), "kinds");
        assert_eq!(
            refused(|c| c.declared.push(KindSpec::new("noop", "remote"))),
            "kinds"
        );
        assert_eq!(
            refused(|c| {
                for kind in &mut c.kinds {
                    kind.spec.can_suspend = true;
                }
            }),
            "kinds"
        );
        assert_eq!(
            refused(|c| {
                for kind in &mut c.kinds {
                    kind.spec.backoff = belay_core::Backoff::List { waits: Vec::new() };
                }
            }),
            "kinds"
        );
    }
}
