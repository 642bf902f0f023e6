//! What the threads of one worker share.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use belay_core::Db;
use belay_core::ops::{Line, NewWorker};
use belay_metrics::Metrics;

use crate::attempt::Held;
use crate::bell::{Bell, CHANGE};
use crate::config::WorkerConfig;
use crate::duties::DutyStatus;
use crate::executors::{Control, StopCause};
use crate::lease::Registration;
pub(crate) use crate::phase::Phase;
use crate::phase::Stage;
use crate::report::{Queue, Saving};
use crate::source::{Ahead, Kind, Source, Weight};
use crate::threads::Crew;
use belay_core::floors::Floors;

/// The bells of the threads that wait for more than one thing.
#[derive(Debug, Default)]
pub(crate) struct Bells {
    pub(crate) dispatcher: Bell,
    pub(crate) heart: Bell,
    pub(crate) watchdog: Bell,
    pub(crate) duties: Bell,
    pub(crate) chores: Bell,
}

/// One worker.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: WorkerConfig,
    pub(crate) kinds: HashMap<String, Arc<Kind>>,
    pub(crate) db: Db,
    pub(crate) metrics: Metrics,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) phase: Stage,
    pub(crate) bells: Bells,
    pub(crate) held: Held,
    pub(crate) reports: Queue,
    pub(crate) saving: Saving,
    pub(crate) floors: Mutex<Floors>,
    pub(crate) crew: Crew,
    /// Light jobs claimed and not answered for; parked reports do not count.
    pub(crate) light_out: AtomicUsize,
    /// Heavy jobs that occupy a slot.
    pub(crate) heavy_running: AtomicUsize,
    /// Kinds that are claimed ahead, by the number in their [`Weight`].
    pub(crate) ahead: Vec<Ahead>,
    /// Reports of heavy jobs that have not been answered; parked ones do not count.
    pub(crate) heavy_reports: AtomicUsize,
    pub(crate) listening: AtomicBool,
    /// Whether everything that ran here is known to have stopped, so that the lease may be ended.
    pub(crate) clean_end: AtomicBool,
    pub(crate) duties: Mutex<BTreeMap<&'static str, DutyStatus>>,
    current: RwLock<Arc<Registration>>,
}

impl Shared {
    pub(crate) fn new(
        config: WorkerConfig,
        db: Db,
        metrics: Metrics,
        runtime: tokio::runtime::Handle,
        registration: Registration,
    ) -> Self {
        let mut ahead = Vec::new();
        let kinds = config
            .kinds
            .iter()
            .map(|kind| {
                let weight = match kind.executor.prefetch() {
                    Some(prefetch) => {
                        ahead.push(Ahead::new(prefetch));
                        Weight::Ahead(ahead.len() - 1)
                    }
                    None if kind.executor.is_light() => Weight::Light,
                    None => Weight::Heavy,
                };
                let runs = Kind {
                    executor: Arc::clone(&kind.executor),
                    backoff: kind.spec.backoff.clone(),
                    weight,
                };
                (kind.spec.name.clone(), Arc::new(runs))
            })
            .collect();
        Self {
            config,
            kinds,
            db,
            metrics,
            runtime,
            phase: Stage::new(),
            bells: Bells::default(),
            held: Held::default(),
            reports: Queue::default(),
            saving: Saving::default(),
            floors: Mutex::default(),
            crew: Crew::default(),
            light_out: AtomicUsize::new(0),
            heavy_running: AtomicUsize::new(0),
            ahead,
            heavy_reports: AtomicUsize::new(0),
            listening: AtomicBool::new(false),
            clean_end: AtomicBool::new(false),
            duties: Mutex::default(),
            current: RwLock::new(Arc::new(registration)),
        }
    }

    /// The registration under which this worker claims now.
    pub(crate) fn current(&self) -> Arc<Registration> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins to claim under another registration.
    pub(crate) fn replace(&self, registration: Registration) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(registration);
        self.ring_all();
    }

    /// Whether this process may still act on what it holds under `registration`. When its time is over, everything under it
    /// has been told to stop when this returns.
    pub(crate) fn check(&self, registration: &Arc<Registration>) -> bool {
        if registration.is_valid() {
            return true;
        }
        self.lose(registration, "no heartbeat succeeded in time");
        false
    }

    /// Kills everything that runs under a registration that is lost. Only the first call does.
    pub(crate) fn lose(&self, registration: &Arc<Registration>, why: &str) {
        if !registration.lose() {
            return;
        }
        let jobs = self.held.of(registration);
        for job in &jobs {
            job.want(Control::Kill(StopCause::LeaseLost));
        }
        self.metrics.lease_lost();
        tracing::error!(
            worker = registration.id,
            why,
            killed = jobs.len(),
            "this worker has lost its lease; all its work is killed and it registers anew"
        );
        self.ring_all();
    }

    /// Moves on to a later phase and wakes everybody.
    pub(crate) fn advance(&self, phase: Phase) -> bool {
        let moved = self.phase.advance(phase);
        if moved {
            self.ring_all();
        }
        moved
    }

    fn ring_all(&self) {
        self.bells.dispatcher.ring(CHANGE);
        self.bells.heart.ring(CHANGE);
        self.bells.watchdog.ring(CHANGE);
        self.bells.duties.ring(CHANGE);
        self.bells.chores.ring(CHANGE);
    }

    /// What the database is told of this worker.
    pub(crate) fn introduction(&self) -> NewWorker {
        introduction(&self.config)
    }

    /// Whether this worker serves a line, and how it runs its jobs.
    pub(crate) fn serves(&self, line: &Line) -> Option<Arc<Kind>> {
        let queue_is_served = self
            .config
            .queues
            .as_ref()
            .is_none_or(|queues| queues.contains(&line.queue));
        if !queue_is_served {
            return None;
        }
        self.kinds.get(&line.kind).cloned()
    }

    /// The source of a line's jobs.
    pub(crate) fn source(&self, line: &Line, kind: Arc<Kind>) -> Arc<Source> {
        Arc::new(Source {
            kind,
            lane: self.metrics.lane(&line.queue, &line.kind),
        })
    }

    /// Jobs that occupy a slot, and jobs that are claimed and occupy none.
    pub(crate) fn running(&self) -> (usize, usize) {
        let ahead: usize = self
            .ahead
            .iter()
            .map(|ahead| ahead.out.load(Ordering::Acquire))
            .sum();
        (
            self.heavy_running.load(Ordering::Acquire),
            self.light_out.load(Ordering::Acquire) + ahead,
        )
    }

    /// What jobs of that weight take up from their claim on: until they have ended when they are heavy, else until they are
    /// answered for.
    pub(crate) fn taken(&self, weight: Weight) -> Option<&AtomicUsize> {
        match weight {
            Weight::Light => Some(&self.light_out),
            Weight::Heavy => Some(&self.heavy_running),
            Weight::Ahead(kind) => self.ahead.get(kind).map(|ahead| &ahead.out),
        }
    }

    /// Jobs of that weight were claimed.
    pub(crate) fn enter(&self, weight: Weight, jobs: usize) {
        if let Some(taken) = self.taken(weight) {
            taken.fetch_add(jobs, Ordering::AcqRel);
        }
    }

    /// Jobs of that weight make room.
    pub(crate) fn leave(&self, weight: Weight, jobs: usize) {
        if let Some(taken) = self.taken(weight) {
            taken.fetch_sub(jobs, Ordering::AcqRel);
        }
    }
}

/// What the database is told of a worker with these settings.
pub(crate) fn introduction(config: &WorkerConfig) -> NewWorker {
    NewWorker {
        name: config.name.clone(),
        host: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        queues: config.queues.clone(),
        kinds: config
            .kinds
            .iter()
            .map(|kind| kind.spec.name.clone())
            .collect(),
        slots: config.slots,
        lease: config.lease,
    }
}
