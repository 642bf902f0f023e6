//! How long a failed job waits for its next attempt.

use std::time::Duration;

/// Waiting that doubles with each attempt: `base` after the first failure, at most `cap`. With `jitter` each wait is drawn
/// between half and the whole of that, so that jobs that failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Wait after the first failed attempt; 0 s to 1 year.
    pub base: Duration,
    /// Longest wait; at least `base`, at most 1 year.
    pub cap: Duration,
    /// Whether to draw the wait between half and the whole.
    pub jitter: bool,
}

impl Default for Backoff {
    /// 1 second, doubling up to 1 hour, with jitter.
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(3600),
            jitter: true,
        }
    }
}

impl Backoff {
    /// The same wait after every failure.
    #[must_use]
    pub const fn fixed(wait: Duration) -> Self {
        Self {
            base: wait,
            cap: wait,
            jitter: false,
        }
    }

    /// The wait after attempt number `attempt` (from 1) has failed. `random` is from 0 up to, and without, 1.
    #[must_use]
    pub fn delay(&self, attempt: i16, random: f64) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0);
        let whole = 2_u32
            .checked_pow(doublings)
            .and_then(|factor| self.base.checked_mul(factor))
            .map_or(self.cap, |delay| delay.min(self.cap));
        if self.jitter {
            whole.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
        } else {
            whole
        }
    }
}

/// A random number from 0 up to, and without, 1. Without randomness from the system: one half.
pub(crate) fn random() -> f64 {
    // 53 bits are what a double holds.
    getrandom::u64().map_or(0.5, |bits| (bits >> 11) as f64 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap() {
        let plain = Backoff {
            jitter: false,
            ..Backoff::default()
        };
        for (attempt, seconds) in [
            (i16::MIN, 1),
            (0, 1),
            (1, 1),
            (2, 2),
            (5, 16),
            (12, 2048),
            (13, 3600),
            (40, 3600),
            (i16::MAX, 3600),
        ] {
            assert_eq!(plain.delay(attempt, 0.9).as_secs(), seconds, "{attempt}");
        }
    }

    #[test]
    fn jitter_stays_between_half_and_the_whole() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(3, 0.0), Duration::from_secs(2));
        assert_eq!(backoff.delay(3, 0.5), Duration::from_secs(3));
        for _ in 0..100 {
            let delay = backoff.delay(3, random());
            assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&delay));
        }
    }

    #[test]
    fn a_fixed_wait_does_not_grow() {
        let backoff = Backoff::fixed(Duration::from_millis(10));
        assert_eq!(backoff.delay(9, 0.3), Duration::from_millis(10));
    }
}
