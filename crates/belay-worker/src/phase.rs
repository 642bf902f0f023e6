//! Where a worker stands between its start and its end. Only ever moves forward.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The phases, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Claims and runs.
    Work,
    /// Claims nothing more; what runs may go on for a while.
    Drain,
    /// Kills what runs.
    Stop,
    /// Nothing runs any more; its threads end.
    Closing,
    /// Its threads have ended.
    Gone,
}

/// The phase of one worker.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Read on every turn of every loop.
    quick: AtomicU8,
    phase: Mutex<Phase>,
    moved: Condvar,
    watched: watch::Sender<Phase>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            quick: AtomicU8::new(Phase::Work as u8),
            phase: Mutex::new(Phase::Work),
            moved: Condvar::new(),
            watched: watch::Sender::new(Phase::Work),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Phase {
        match self.quick.load(Ordering::Acquire) {
            0 => Phase::Work,
            1 => Phase::Drain,
            2 => Phase::Stop,
            3 => Phase::Closing,
            _ => Phase::Gone,
        }
    }

    /// Moves on to `phase`; `false` when it is there or further already.
    pub(crate) fn advance(&self, phase: Phase) -> bool {
        let mut now = self.lock();
        if *now >= phase {
            return false;
        }
        *now = phase;
        self.quick.store(phase as u8, Ordering::Release);
        self.watched.send_replace(phase);
        self.moved.notify_all();
        true
    }

    /// Waits until `phase` is reached, at most `timeout`; answers whether it was.
    pub(crate) fn wait_for(&self, phase: Phase, timeout: Duration) -> bool {
        // A timeout too long for the clock is no timeout.
        let deadline = Instant::now().checked_add(timeout);
        let mut now = self.lock();
        while *now < phase {
            let left = deadline.map_or(timeout, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return false;
            }
            now = self
                .moved
                .wait_timeout(now, left.min(Duration::from_secs(3600)))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// As [`Stage::wait_for`], for asynchronous code and without a limit.
    pub(crate) async fn reached(&self, phase: Phase) {
        let mut watching = self.watched.subscribe();
        // The sender lives as long as `self`.
        let _ = watching.wait_for(|now| *now >= phase).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_only_moves_forward() {
        let stage = Stage::new();
        assert_eq!(stage.now(), Phase::Work);
        assert!(stage.advance(Phase::Stop));
        assert!(!stage.advance(Phase::Drain));
        assert!(!stage.advance(Phase::Stop));
        assert_eq!(stage.now(), Phase::Stop);
    }

    #[test]
    fn waiting_ends_with_the_phase_or_the_time() {
        let stage = Stage::new();
        assert!(stage.wait_for(Phase::Work, Duration::ZERO));
        assert!(!stage.wait_for(Phase::Drain, Duration::from_millis(1)));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| stage.wait_for(Phase::Drain, Duration::MAX));
            stage.advance(Phase::Closing);
            assert!(waiting.join().unwrap());
        });
    }
}
