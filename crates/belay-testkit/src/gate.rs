//! Stop points for tests of races.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longer than any test waits on purpose.
const LIMIT: Duration = Duration::from_secs(60);

/// A gate that holds threads at a point the test has named, until the test opens it. Clones are the same gate.
///
/// ```
/// use belay_testkit::Gate;
///
/// let gate = Gate::new("before the commit");
/// let theirs = gate.clone();
/// let thread = std::thread::spawn(move || theirs.wait());
/// gate.reached(1); // The thread is there and held.
/// gate.open();
/// thread.join().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Gate {
    name: &'static str,
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    arrived: usize,
    open: bool,
}

impl Gate {
    /// A closed gate. The name appears in the message when a test waits in vain.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            shared: Arc::default(),
        }
    }

    /// Says "I am here", then waits until the gate is open.
    ///
    /// # Panics
    ///
    /// After a minute.
    #[track_caller]
    pub fn wait(&self) {
        self.lock().arrived += 1;
        self.shared.1.notify_all();
        self.until("be opened", |state| state.open);
    }

    /// Waits until `count` threads are or were at the gate.
    ///
    /// # Panics
    ///
    /// After a minute.
    #[track_caller]
    pub fn reached(&self, count: usize) {
        self.until("be reached", |state| state.arrived >= count);
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.lock().open = true;
        self.shared.1.notify_all();
    }

    #[track_caller]
    fn until(&self, what: &str, done: impl Fn(&State) -> bool) {
        let (_state, timeout) = self
            .shared
            .1
            .wait_timeout_while(self.lock(), LIMIT, |state| !done(state))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(
            !timeout.timed_out(),
            "the gate \"{}\" waited in vain to {what}",
            self.name
        );
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that failed its test does not take the gate from the others.
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn a_closed_gate_holds_and_an_open_one_does_not() {
        let gate = Gate::new("test");
        let passed = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (gate, passed) = (gate.clone(), Arc::clone(&passed));
            move || {
                gate.wait();
                passed.store(true, Ordering::SeqCst);
            }
        });
        gate.reached(1);
        assert!(!passed.load(Ordering::SeqCst));
        gate.open();
        thread.join().unwrap();
        assert!(passed.load(Ordering::SeqCst));
        gate.wait();
        gate.reached(2);
    }
}
