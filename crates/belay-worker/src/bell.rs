//! How the threads of a worker wake each other: a bell with a few distinct tones. A tone that rings while nobody waits is
//! kept until somebody does.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Somebody was notified of work by the database.
pub(crate) const HINT: u32 = 1;
/// A slot or a place in the window is free.
pub(crate) const ROOM: u32 = 1 << 1;
/// The phase of the worker, or its registration, has changed.
pub(crate) const CHANGE: u32 = 1 << 2;
/// The heartbeat should look for signals now.
pub(crate) const SIGNALS: u32 = 1 << 3;
/// The ticker of the duties.
pub(crate) const TICK: u32 = 1 << 4;
/// A sweep has put something back into a line.
pub(crate) const SWEPT: u32 = 1 << 5;

/// A bell. One thread waits, any number ring.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<u32>,
    ringing: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self, tone: u32) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        if *rung & tone != tone {
            *rung |= tone;
            self.ringing.notify_one();
        }
    }

    /// Waits until one of `tones` has rung, at most `timeout`. Answers and forgets those of `tones` that have; others are
    /// kept.
    pub(crate) fn wait(&self, tones: u32, timeout: Duration) -> u32 {
        let deadline = Instant::now() + timeout;
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let heard = *rung & tones;
            let left = deadline.saturating_duration_since(Instant::now());
            if heard != 0 || left.is_zero() {
                *rung &= !tones;
                return heard;
            }
            rung = self
                .ringing
                .wait_timeout(rung, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_kept_until_somebody_asks_for_it() {
        let bell = Bell::default();
        bell.ring(HINT);
        bell.ring(ROOM);
        assert_eq!(bell.wait(ROOM, Duration::ZERO), ROOM);
        assert_eq!(bell.wait(ROOM, Duration::ZERO), 0);
        assert_eq!(bell.wait(HINT | ROOM, Duration::from_secs(60)), HINT);
    }

    #[test]
    fn a_waiting_thread_is_woken() {
        let bell = Bell::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| bell.wait(TICK, Duration::from_secs(60)));
            bell.ring(TICK);
            assert_eq!(waiting.join().unwrap(), TICK);
        });
    }
}
