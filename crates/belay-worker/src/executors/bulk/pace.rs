//! How many jobs the next step takes. Whoever meets a lock that somebody holds for long takes fewer the next time: everything
//! that a step has locked waits with it.

/// The size of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    full: i32,
    now: i32,
}

impl Pace {
    pub(super) const fn new(full: i32) -> Self {
        Self { full, now: full }
    }

    /// Jobs in the next step.
    pub(super) const fn jobs(self) -> i32 {
        self.now
    }

    /// A step went through.
    pub(super) fn went_through(&mut self) {
        self.now = self.now.saturating_mul(2).min(self.full);
    }

    /// A step waited in vain.
    pub(super) fn was_held_up(&mut self) {
        self.now = (self.now / 8).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_falls_quickly_to_one_and_comes_back() {
        let mut pace = Pace::new(500);
        let mut seen = Vec::new();
        for _ in 0..4 {
            pace.was_held_up();
            seen.push(pace.jobs());
        }
        for _ in 0..10 {
            pace.went_through();
        }
        assert_eq!((seen, pace.jobs()), (vec![62, 7, 1, 1], 500));
    }
}
