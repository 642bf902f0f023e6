//! Who waits for work. A look finds out for all of them at once which lines have some, and wakes those it concerns: few at
//! first, twice as many with each look that still finds work, so that one job does not wake a thousand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use belay_core::ops::Line;
use tokio::sync::Notify;

use super::Serves;

/// Woken by the first look that finds work.
const FEW: usize = 8;

#[derive(Default)]
pub(crate) struct Waiting {
    list: Mutex<List>,
    hinted: AtomicBool,
}

#[derive(Default)]
struct List {
    next: u64,
    /// By the order in which they came: who has waited longest is woken first.
    waiters: BTreeMap<u64, Waiter>,
    wave: usize,
}

struct Waiter {
    serves: Arc<Serves>,
    notify: Arc<Notify>,
}

/// A place among those who wait; given up when it is dropped.
pub(crate) struct Place<'a> {
    waiting: &'a Waiting,
    id: u64,
    notify: Arc<Notify>,
}

impl Waiting {
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place.
    pub(crate) fn enter(&self, serves: Arc<Serves>) -> Place<'_> {
        let notify = Arc::new(Notify::new());
        let mut list = self.list();
        let id = list.next;
        list.next += 1;
        list.waiters.insert(
            id,
            Waiter {
                serves,
                notify: Arc::clone(&notify),
            },
        );
        Place {
            waiting: self,
            id,
            notify,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list().waiters.is_empty()
    }

    /// A notification came.
    pub(super) fn hint(&self) {
        self.hinted.store(true, Ordering::Release);
    }

    pub(super) fn take_hint(&self) -> bool {
        self.hinted.swap(false, Ordering::AcqRel)
    }

    /// These lines have work. Answers whether anybody was woken.
    pub(super) fn wake(&self, busy: &[Line]) -> bool {
        let mut list = self.list();
        if busy.is_empty() {
            list.wave = 0;
            return false;
        }
        let wave = (list.wave * 2).max(FEW);
        let mut woken = 0;
        for waiter in list.waiters.values() {
            if busy.iter().any(|line| waiter.serves.line(line)) {
                waiter.notify.notify_one();
                woken += 1;
                if woken >= wave {
                    break;
                }
            }
        }
        list.wave = if woken == 0 { 0 } else { wave };
        woken > 0
    }
}

impl Place<'_> {
    /// Until there may be work. One that came before this is not lost.
    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.list().waiters.remove(&self.id);
    }
}
