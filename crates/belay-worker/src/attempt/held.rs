//! The attempts that run here now, and what they have been told.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::control::merge;
use super::shown::Shown;
use crate::executors::{Control, StopCause};
use crate::lease::Registration;
use crate::source::Source;

/// Names one attempt: the job and the fence of its claim.
pub(crate) type Key = (i64, i32);

/// One attempt that runs here.
#[derive(Debug)]
pub(crate) struct HeldJob {
    pub(crate) key: Key,
    pub(crate) attempt: i16,
    pub(crate) source: Arc<Source>,
    pub(crate) registration: Arc<Registration>,
    pub(crate) shown: Arc<Shown>,
    control: watch::Sender<Control>,
    /// Why it was first told to stop.
    cause: OnceLock<StopCause>,
    /// When it was told of a cancel.
    told: OnceLock<Instant>,
    /// How long before that the cancel had been accepted.
    accepted: OnceLock<Duration>,
}

impl HeldJob {
    pub(crate) fn new(
        key: Key,
        attempt: i16,
        source: Arc<Source>,
        registration: Arc<Registration>,
    ) -> Self {
        Self {
            key,
            attempt,
            source,
            registration,
            shown: Arc::default(),
            control: watch::Sender::new(Control::Run),
            cause: OnceLock::new(),
            told: OnceLock::new(),
            accepted: OnceLock::new(),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Control> {
        self.control.subscribe()
    }

    pub(crate) fn cause(&self) -> Option<StopCause> {
        self.cause.get().copied()
    }

    /// Time since the cancel was accepted that it was told of, if it was.
    pub(crate) fn cancelled_ago(&self) -> Option<Duration> {
        let before = self.accepted.get().copied().unwrap_or_default();
        self.told.get().map(|told| told.elapsed() + before)
    }

    /// Notes how long before the telling the cancel had been accepted.
    pub(crate) fn accepted_before(&self, age: Duration) {
        // Only the first cancel counts.
        let _ = self.accepted.set(age);
    }

    fn is_suspended(&self) -> bool {
        *self.control.borrow() == Control::Suspend
    }

    /// Tells it what is wanted. `true` when that is news of a cancel.
    pub(crate) fn want(&self, wanted: Control) -> bool {
        let mut news = false;
        self.control.send_if_modified(|now| {
            if let Control::Stop(cause) | Control::Kill(cause) = wanted {
                // Before the executor can react to it.
                let _ = self.cause.set(cause);
                news = cause == StopCause::Cancel && self.told.set(Instant::now()).is_ok();
            }
            let next = merge(*now, wanted);
            next.inspect(|next| *now = *next).is_some()
        });
        news
    }
}

/// What the database wants of the attempts of one registration: the answer of a heartbeat.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) cancel: Vec<Key>,
    pub(crate) suspend: Vec<Key>,
}

#[derive(Debug, Default)]
struct Inner {
    jobs: HashMap<Key, Arc<HeldJob>>,
    /// Wishes about jobs that are not here: their claim's answer may be on its way.
    early: HashMap<Key, Control>,
}

/// All attempts that run here.
#[derive(Debug, Default)]
pub(crate) struct Held {
    inner: Mutex<Inner>,
    fewer: Condvar,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an attempt before it starts. What was wanted of it before it was known is told to it now.
    pub(crate) fn add(&self, job: &Arc<HeldJob>) -> bool {
        let mut inner = self.lock();
        let early = inner.early.get(&job.key).copied();
        inner.jobs.insert(job.key, Arc::clone(job));
        // Under the lock: whoever loses the registration marks it first and looks through the jobs then. By the clock as well:
        // after a freeze this thread may be the first to wake.
        if !job.registration.is_valid() {
            job.want(Control::Kill(StopCause::LeaseLost));
        }
        early.is_some_and(|wanted| job.want(wanted))
    }

    pub(crate) fn remove(&self, key: Key) {
        let mut inner = self.lock();
        inner.jobs.remove(&key);
        if inner.jobs.is_empty() {
            self.fewer.notify_all();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().jobs.len()
    }

    /// Names of all attempts here.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.lock().jobs.keys().copied().collect()
    }

    /// All attempts under one registration.
    pub(crate) fn of(&self, registration: &Arc<Registration>) -> Vec<Arc<HeldJob>> {
        self.lock()
            .jobs
            .values()
            .filter(|job| Arc::ptr_eq(&job.registration, registration))
            .cloned()
            .collect()
    }

    /// All attempts.
    pub(crate) fn all(&self) -> Vec<Arc<HeldJob>> {
        self.lock().jobs.values().cloned().collect()
    }

    /// Tells the attempts of a registration what the database wants of them, and answers which learnt of a cancel. What
    /// is suspended and not wanted so any more goes on.
    pub(crate) fn tell(
        &self,
        registration: &Arc<Registration>,
        wishes: &Wishes,
    ) -> Vec<Arc<HeldJob>> {
        let mut inner = self.lock();
        inner.early.clear();
        let mut news = Vec::new();
        let cancels = wishes.cancel.iter().map(|key| (*key, CANCEL));
        let suspends = wishes.suspend.iter().map(|key| (*key, Control::Suspend));
        for (key, wanted) in cancels.chain(suspends) {
            match inner.jobs.get(&key) {
                Some(job) => {
                    if job.want(wanted) {
                        news.push(Arc::clone(job));
                    }
                }
                None => {
                    inner.early.insert(key, wanted);
                }
            }
        }
        for job in inner.jobs.values() {
            if job.is_suspended()
                && Arc::ptr_eq(&job.registration, registration)
                && !wishes.suspend.contains(&job.key)
            {
                job.want(Control::Run);
            }
        }
        news
    }

    /// Waits until nothing runs here; `false` when the time is over first.
    pub(crate) fn wait_empty(&self, timeout: Duration) -> bool {
        let (inner, _) = self
            .fewer
            .wait_timeout_while(self.lock(), timeout, |inner| !inner.jobs.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        inner.jobs.is_empty()
    }
}

const CANCEL: Control = Control::Stop(StopCause::Cancel);

#[cfg(test)]
mod tests;
