//! The reports that wait to be sent.
//!
//! Four places, so that a report the database does not take never holds back another: *fresh* ones go in large batches;
//! *suspects*, batches that were refused as a whole, are taken apart by one thread only and with little patience; single
//! reports that are still refused are *parked* for a while, as are those of suspended jobs; what a thread has *in hand* is
//! remembered by name.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::item::Batch;
use crate::attempt::Key;

/// Most successes in one statement.
pub(crate) const MAX_BATCH: usize = 500;
/// Most other reports in one transaction, which takes several statements.
const MAX_MIXED: usize = 100;

/// A batch to be sent, and how.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) batch: Batch,
    /// Whether to give up a lock at once: something in it was locked before.
    pub(crate) suspect: bool,
}

#[derive(Debug)]
struct Parked {
    until: Instant,
    batch: Batch,
}

#[derive(Debug, Default)]
struct Inner {
    successes: VecDeque<Batch>,
    others: VecDeque<Batch>,
    suspects: VecDeque<Batch>,
    parked: Vec<Parked>,
    /// What each thread is sending.
    in_hand: Vec<Vec<Key>>,
    /// Whether the thread that takes suspects did so last time, so that fresh ones get their turn.
    suspect_last: bool,
    closed: bool,
}

impl Inner {
    fn is_settled(&self) -> bool {
        self.successes.is_empty()
            && self.others.is_empty()
            && self.suspects.is_empty()
            && self.in_hand.iter().all(Vec::is_empty)
    }

    fn fresh(&mut self) -> Option<Batch> {
        // Few and of more interest to somebody, so they go first.
        if let Some(batch) = gather(&mut self.others, MAX_MIXED) {
            return Some(batch);
        }
        gather(&mut self.successes, MAX_BATCH)
    }

    fn suspect(&mut self, now: Instant) -> Option<Batch> {
        if let Some(batch) = self.suspects.pop_front() {
            return Some(batch);
        }
        let due = self.parked.iter().position(|parked| parked.until <= now)?;
        Some(self.parked.swap_remove(due).batch)
    }

    fn take(&mut self, handles_suspects: bool, now: Instant) -> Option<Work> {
        let fresh = |batch| Work {
            batch,
            suspect: false,
        };
        let suspect = |batch| Work {
            batch,
            suspect: true,
        };
        if !handles_suspects {
            return self.fresh().map(fresh);
        }
        self.suspect_last = !self.suspect_last;
        if self.suspect_last {
            self.suspect(now)
                .map(suspect)
                .or_else(|| self.fresh().map(fresh))
        } else {
            self.fresh()
                .map(fresh)
                .or_else(|| self.suspect(now).map(suspect))
        }
    }
}

/// Joins batches of the same registration from the front, up to `limit` reports.
fn gather(queue: &mut VecDeque<Batch>, limit: usize) -> Option<Batch> {
    let mut first = queue.pop_front()?;
    if first.items.len() > limit {
        let rest = first.items.split_off(limit);
        queue.push_front(Batch {
            registration: first.registration.clone(),
            items: rest,
        });
    }
    while let Some(next) = queue.front_mut() {
        let room = limit - first.items.len();
        if room == 0 || next.registration.id != first.registration.id {
            break;
        }
        if next.items.len() <= room {
            first.items.append(&mut next.items);
            queue.pop_front();
        } else {
            first.items.extend(next.items.drain(..room));
        }
    }
    Some(first)
}

/// The reports that wait, shared by all threads.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    more: Condvar,
    settled: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds new reports of one kind.
    pub(crate) fn push(&self, batch: Batch) {
        if batch.items.is_empty() {
            return;
        }
        let mut inner = self.lock();
        if batch.is_success() {
            inner.successes.push_back(batch);
        } else {
            inner.others.push_back(batch);
        }
        self.more.notify_one();
    }

    /// Takes the next batch into thread `thread`'s hand, waiting up to `timeout`. Thread 1 also takes suspects.
    pub(crate) fn take(&self, thread: usize, timeout: Duration) -> Option<Work> {
        let deadline = Instant::now() + timeout;
        let mut inner = self.lock();
        loop {
            let now = Instant::now();
            if let Some(work) = inner.take(thread == 1, now) {
                if inner.in_hand.len() <= thread {
                    inner.in_hand.resize_with(thread + 1, Vec::new);
                }
                if let Some(hand) = inner.in_hand.get_mut(thread) {
                    hand.extend(work.batch.keys());
                }
                return Some(work);
            }
            let mut left = deadline.saturating_duration_since(now);
            if left.is_zero() || inner.closed {
                return None;
            }
            if thread == 1
                && let Some(until) = inner.parked.iter().map(|parked| parked.until).min()
            {
                left = left.min(until.saturating_duration_since(now));
            }
            inner = self
                .more
                .wait_timeout(inner, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Puts back what thread `thread` could not settle, and empties its hand.
    pub(crate) fn put_back(&self, thread: usize, leftovers: Leftovers) {
        let mut inner = self.lock();
        let now = Instant::now();
        if let Some(again) = leftovers.again {
            if again.is_success() {
                inner.successes.push_front(again);
            } else {
                inner.others.push_front(again);
            }
        }
        inner.suspects.extend(leftovers.suspects);
        inner
            .parked
            .extend(leftovers.parked.into_iter().map(|(wait, batch)| Parked {
                until: now + wait,
                batch,
            }));
        if let Some(hand) = inner.in_hand.get_mut(thread) {
            hand.clear();
        }
        if inner.is_settled() {
            self.settled.notify_all();
        } else {
            // The other thread may have to wake earlier than it thought, or there is something for it.
            self.more.notify_all();
        }
    }

    /// Waits until everything but what is parked has been answered; `false` when the time is over first.
    pub(crate) fn wait_settled(&self, timeout: Duration) -> bool {
        let (inner, _) = self
            .settled
            .wait_timeout_while(self.lock(), timeout, |inner| !inner.is_settled())
            .unwrap_or_else(PoisonError::into_inner);
        inner.is_settled()
    }

    /// Names of all attempts whose report has not been answered.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let inner = self.lock();
        let parked = inner.parked.iter().map(|parked| &parked.batch);
        inner
            .successes
            .iter()
            .chain(&inner.others)
            .chain(&inner.suspects)
            .chain(parked)
            .flat_map(Batch::keys)
            .chain(inner.in_hand.iter().flatten().copied())
            .collect()
    }

    /// Threads that wait get nothing from now on.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.more.notify_all();
    }
}

/// What is left of a batch after it was sent.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    /// To be sent again as it is.
    pub(crate) again: Option<Batch>,
    /// Refused as a whole, now in parts.
    pub(crate) suspects: Vec<Batch>,
    /// To be sent again after a while.
    pub(crate) parked: Vec<(Duration, Batch)>,
}

#[cfg(test)]
mod tests;
