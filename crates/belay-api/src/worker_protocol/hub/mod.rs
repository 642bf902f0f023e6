//! What remote workers of one instance share: from where to claim, who waits for work, who listens for news.
//!
//! Two threads, started by the first remote worker. *Ears* waits for notifications. *Hands* looks for work for whoever waits,
//! reads the lines and sweeps. Neither claims: that happens in the calls of the workers. Without notifications (behind a pooler, or
//! while the connection is away) hands looks four times a second.

mod claim;
mod ears;
mod hands;
mod remote;
mod sessions;
mod waiting;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use belay_core::floors::Floors;
use belay_core::query;
use belay_core::{Db, Result};
use belay_metrics::Metrics;

pub(crate) use claim::Got;
use remote::Serves;
pub(crate) use remote::{Key, Out, Remote};
pub(crate) use sessions::Sessions;
use waiting::Waiting;

/// Remote workers remembered at once; more are read anew with each call.
const MOST: usize = 10_000;

/// A thread's name and what it does.
type Thread = (&'static str, fn(&Arc<Shared>));

/// The hub of an instance. Its threads end when it is dropped.
pub(crate) struct Hub {
    shared: Arc<Shared>,
    started: Once,
}

/// What the threads and the calls share.
pub(crate) struct Shared {
    db: Db,
    metrics: Metrics,
    pub(crate) sessions: Arc<Sessions>,
    floors: Mutex<Floors>,
    /// When the lines were read.
    lines_read: Mutex<Option<Instant>>,
    /// When the last ticket was read, and whether the last claim was not full.
    ticket_read: Mutex<Instant>,
    short: AtomicBool,
    /// Whether somebody claims for some tenants only, so that floors must be moved by others.
    by_tenant: AtomicBool,
    pub(crate) waiting: Waiting,
    workers: Mutex<HashMap<i64, Arc<Remote>>>,
    /// Open event streams.
    pub(crate) streams: Arc<AtomicUsize>,
    bell: Bell,
    /// Whether notifications come.
    pub(crate) listening: AtomicBool,
    /// How often somebody was told that there may be work.
    pub(crate) wakes: tokio::sync::watch::Sender<u64>,
    ended: AtomicBool,
}

impl Hub {
    pub(crate) fn new(db: Db, metrics: Metrics) -> Self {
        Self {
            shared: Arc::new(Shared {
                sessions: Arc::new(Sessions::new(db.clone())),
                db,
                metrics,
                floors: Mutex::default(),
                lines_read: Mutex::default(),
                ticket_read: Mutex::new(Instant::now()),
                short: AtomicBool::new(true),
                by_tenant: AtomicBool::new(false),
                waiting: Waiting::default(),
                workers: Mutex::default(),
                streams: Arc::default(),
                bell: Bell::default(),
                listening: AtomicBool::new(false),
                wakes: tokio::sync::watch::Sender::new(0),
                ended: AtomicBool::new(false),
            }),
            started: Once::new(),
        }
    }

    /// What is shared, with its threads running.
    pub(crate) fn get(&self) -> &Arc<Shared> {
        self.started.call_once(|| {
            let threads: [Thread; 2] = [("belay-hands", hands::run), ("belay-ears", ears::run)];
            // A transaction pooler delivers no notifications.
            let count = if self.shared.db.config().pooler { 1 } else { 2 };
            for (name, run) in threads.into_iter().take(count) {
                let shared = Arc::clone(&self.shared);
                let started = thread::Builder::new()
                    .name(name.to_owned())
                    .spawn(move || run(&shared));
                if let Err(error) = started {
                    tracing::error!(%error, thread = name, "a thread could not be started; remote workers are told of work late");
                }
            }
        });
        &self.shared
    }

    /// Ends the threads. What is claimed and reported from now on works all the same.
    pub(crate) fn end(&self) {
        self.shared.ended.store(true, Ordering::Release);
        self.shared.bell.ring();
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn floors(&self) -> MutexGuard<'_, Floors> {
        self.floors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<i64, Arc<Remote>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A remote worker that is remembered.
    pub(crate) fn known(&self, id: i64) -> Option<Arc<Remote>> {
        self.workers().get(&id).cloned()
    }

    /// Reads a remote worker and remembers it. `None` when there is none.
    pub(crate) fn read_worker(&self, id: i64) -> Result<Option<Arc<Remote>>> {
        let Some(row) = self.db.read(|conn| query::remote::worker(conn, id))? else {
            return Ok(None);
        };
        let mut workers = self.workers();
        if let Some(known) = workers.get(&id) {
            return Ok(Some(Arc::clone(known)));
        }
        let remote = Arc::new(Remote::new(id, row));
        if workers.len() >= MOST {
            // Nobody is at work for these now; whoever comes back is read anew.
            workers.retain(|_, remote| Arc::strong_count(remote) > 1);
        }
        if workers.len() < MOST {
            workers.insert(id, Arc::clone(&remote));
        }
        Ok(Some(remote))
    }

    /// Forgets a worker that has ended.
    pub(crate) fn forget(&self, id: i64) {
        if let Some(remote) = self.workers().remove(&id) {
            remote.ring();
        }
    }

    /// There may be work.
    fn wake(&self) {
        self.waiting.hint();
        self.bell.ring();
        self.wakes.send_modify(|n| *n = n.wrapping_add(1));
    }
}

/// Wakes hands. A ring that nobody waits for is kept.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        if !*rung {
            *rung = true;
            self.ringing.notify_one();
        }
    }

    fn wait(&self, timeout: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) = self
            .ringing
            .wait_timeout_while(rung, timeout, |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}
