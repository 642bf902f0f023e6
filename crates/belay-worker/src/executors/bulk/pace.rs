//! How many jobs the next step takes. Whoever meets a lock that somebody holds for long takes fewer the next time: everything
//! that a step has locked waits with it.

use std::time::Duration;

/// Pause after a step that waited in vain, and at most after several.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// The size of steps, and the pause between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    full: i32,
    now: i32,
    pause: Duration,
}

impl Pace {
    pub(super) const fn new(full: i32) -> Self {
        Self {
            full,
            now: full,
            pause: FIRST_PAUSE,
        }
    }

    /// Jobs in the next step.
    pub(super) const fn jobs(self) -> i32 {
        self.now
    }

    /// A step went through.
    pub(super) fn went_through(&mut self) {
        self.now = self.now.saturating_mul(2).min(self.full);
        self.pause = FIRST_PAUSE;
    }

    /// A step waited in vain. Answers how long to leave the others in peace.
    pub(super) fn was_held_up(&mut self) -> Duration {
        self.now = (self.now / 8).max(1);
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_falls_quickly_to_one_and_comes_back() {
        let mut pace = Pace::new(500);
        let mut seen = Vec::new();
        for _ in 0..6 {
            let pause = pace.was_held_up().as_millis();
            seen.push((pace.jobs(), pause));
        }
        assert_eq!(
            seen,
            [(62, 20), (7, 40), (1, 80), (1, 160), (1, 250), (1, 250)]
        );
        for _ in 0..10 {
            pace.went_through();
        }
        assert_eq!(pace, Pace::new(500));
    }
}
