//! A worker, as its embedder sees it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use belay_core::db::Role;
use belay_core::{Db, ops};
use belay_metrics::Metrics;

use crate::config::WorkerConfig;
use crate::dispatcher::Dispatcher;
use crate::duties::{self, DutyStatus};
use crate::error::WorkerError;
use crate::heartbeat::Heartbeat;
use crate::lease::Registration;
use crate::report::{self, Reporter};
use crate::shared::{Phase, Shared, introduction};
use crate::{clock, conductor, listener, threads, watchdog};

/// A running worker. Any number of them can live in one process.
///
/// Dropping it begins a hard stop and does not wait for its end; see [`Worker::drain`] for a gentle one.
#[derive(Debug)]
pub struct Worker {
    shared: Arc<Shared>,
}

/// How a worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Whether it holds a lease and may work.
    pub alive: bool,
    /// Whether it is notified of new jobs and cancels. Without, they are noticed a little later.
    pub listening: bool,
    /// Whether it claims jobs: not after [`Worker::drain`] or [`Worker::stop_now`].
    pub claiming: bool,
    /// Time since the last successful heartbeat was sent.
    pub last_beat_age: Duration,
    /// Jobs that occupy a slot.
    pub running_heavy: usize,
    /// Light jobs claimed and not reported yet.
    pub running_light: usize,
    /// How each background duty ran last, by name. Duties that found nothing to do, or that another node has done, do not
    /// appear.
    pub duties: BTreeMap<&'static str, DutyStatus>,
}

impl Worker {
    /// Registers the kinds and the worker and starts to work. Blocks for a few round trips to the database.
    ///
    /// # Errors
    /// [`WorkerError::Invalid`] for a setting, and for what a kind needs and does not find; [`WorkerError::Database`] when the database is away or refuses a kind;
    /// [`WorkerError::Thread`] when the system is out of threads.
    pub fn start(db: Db, config: WorkerConfig, metrics: Metrics) -> Result<Self, WorkerError> {
        config.check()?;
        for kind in &config.kinds {
            let executor = &kind.executor;
            executor
                .prepare()
                .and_then(|()| executor.attach(&db))
                .map_err(|why| {
                    WorkerError::invalid("kinds", format!("the kind {:?}: {why}", kind.spec.name))
                })?;
        }
        let registration = register(&db, &config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("belay-run")
            .max_blocking_threads(blocking_threads(&config))
            .enable_all()
            .build()?;
        let shared = Arc::new(Shared::new(
            config,
            db,
            metrics,
            runtime.handle().clone(),
            registration,
        ));
        let started = start_threads(&shared);
        let conducted = std::thread::Builder::new()
            .name("belay-worker".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || conductor::run(&shared, runtime)
            });
        // A half-started worker ends like any other.
        let worker = Self { shared };
        started?;
        conducted?;
        Ok(worker)
    }

    /// Its number in the database. Changes when it lost its lease and registered anew.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.shared.current().id
    }

    /// Begins a gentle stop: nothing more is claimed; running jobs may go on for the drain period, then they are stopped
    /// and given back to their lines, with their attempt. Cancels are still obeyed. Returns at once; see [`Worker::join`].
    pub fn drain(&self) {
        self.shared.advance(Phase::Drain);
    }

    /// Begins a hard stop, also in the middle of a gentle one: running jobs are killed at once. What can be reported is,
    /// the rest is given back. Returns at once; see [`Worker::join`].
    pub fn stop_now(&self) {
        self.shared.advance(Phase::Stop);
    }

    /// Waits until the worker has ended. Blocks the thread; see [`Worker::ended`] for asynchronous code.
    pub fn join(&self) {
        self.shared.phase.wait_for(Phase::Gone, Duration::MAX);
    }

    /// As [`Worker::join`], but not longer than `timeout`. Answers whether the worker has ended.
    #[must_use]
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        self.shared.phase.wait_for(Phase::Gone, timeout)
    }

    /// As [`Worker::join`], for asynchronous code.
    pub async fn ended(&self) {
        self.shared.phase.reached(Phase::Gone).await;
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> WorkerStatus {
        let registration = self.shared.current();
        let (running_heavy, running_light) = self.shared.running();
        let phase = self.shared.phase.now();
        WorkerStatus {
            alive: phase < Phase::Closing && registration.is_valid(),
            listening: self.shared.listening.load(Ordering::Acquire),
            claiming: phase == Phase::Work,
            last_beat_age: registration.age(),
            running_heavy,
            running_light,
            duties: self
                .shared
                .duties
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop_now();
    }
}

/// Threads for code that blocks, beside those that jobs may need.
const BLOCKING_THREADS: usize = 512;

impl Worker {
    pub(crate) fn runtime(&self) -> tokio::runtime::Handle {
        self.shared.runtime.clone()
    }

    /// Something that stops the worker, hard or gently, for whoever does not hold it.
    pub(crate) fn stopper(&self) -> impl Fn(bool) + Send + use<> {
        let shared = Arc::clone(&self.shared);
        move |hard| {
            shared.advance(if hard { Phase::Stop } else { Phase::Drain });
        }
    }
}

/// As many threads as synchronous jobs may be at work at once: a claim is a start, so none may wait for another's thread.
fn blocking_threads(config: &WorkerConfig) -> usize {
    let ahead = config
        .kinds
        .iter()
        .filter_map(|kind| kind.executor.prefetch())
        .map(|prefetch| prefetch.at_once);
    ahead.fold(
        BLOCKING_THREADS.saturating_add(config.slots as usize),
        usize::saturating_add,
    )
}

fn register(db: &Db, config: &WorkerConfig) -> Result<Registration, WorkerError> {
    let mut session = db.session(Role::Request)?;
    let run = config.kinds.iter().map(|kind| &kind.spec);
    let kinds: Vec<_> = run.chain(&config.declared).cloned().collect();
    if !kinds.is_empty() {
        session.run(|conn| ops::register_kinds(conn, &kinds))?;
    }
    // The lease is counted from before it was asked for.
    let sent = clock::now();
    let id = session.run(|conn| ops::register(conn, &introduction(config)))?;
    tracing::info!(worker = id, name = config.name, "registered");
    Ok(Registration::new(id, config.lease, sent))
}

fn start_threads(shared: &Arc<Shared>) -> std::io::Result<()> {
    // First those that keep the lease, last the one that claims.
    threads::start(shared, "heartbeat", |s| Heartbeat::new(&s).run())?;
    threads::start(shared, "watchdog", |s| watchdog::run(&s))?;
    for thread in 0..report::THREADS {
        threads::start(shared, "reporter", move |s| Reporter::new(&s, thread).run())?;
    }
    // A transaction pooler delivers no notifications.
    if shared.config.listen && !shared.db.config().pooler {
        threads::start(shared, "listener", |s| listener::run(&s))?;
    }
    threads::start(shared, "duties", |s| duties::run_prompt(&s))?;
    if shared.config.duties {
        threads::start(shared, "chores", |s| duties::run_chores(&s))?;
        duties::start_ticker(shared);
    }
    threads::start(shared, "dispatcher", |s| Dispatcher::new(&s).run())
}
