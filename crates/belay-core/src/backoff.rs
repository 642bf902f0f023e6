//! How long a failed job waits for its next attempt.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Most waits in a list.
const MAX_WAITS: usize = 1000;

/// How the waits between attempts grow. Registered with the kind, so that whoever reports a failure of a job of that kind, the
/// daemon's own worker or one in another process, goes by the same rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "lowercase")]
pub enum Backoff {
    /// Waiting that doubles with each attempt: `base` after the first failure, at most `cap`. With `jitter` each wait is
    /// drawn between half and the whole of that, so that jobs that failed together do not come back together.
    Exponential {
        /// Wait after the first failed attempt; 0 s to 1 year.
        base: Duration,
        /// Longest wait; at least `base`, at most 1 year.
        cap: Duration,
        /// Whether to draw the wait between half and the whole.
        jitter: bool,
    },
    /// The same wait after every failure.
    Fixed {
        /// 0 s to 1 year.
        wait: Duration,
    },
    /// The n-th wait after the n-th failure, and the last one from then on.
    List {
        /// 1 to 1000 waits of 0 s to 1 year.
        waits: Vec<Duration>,
    },
}

impl Default for Backoff {
    /// 1 second, doubling up to 1 hour, with jitter.
    fn default() -> Self {
        Self::Exponential {
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
        Self::Fixed { wait }
    }

    /// The wait after attempt number `attempt` (from 1) has failed. `random` is from 0 up to, and without, 1.
    #[must_use]
    pub fn delay(&self, attempt: i16, random: f64) -> Duration {
        let before = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0);
        match self {
            Self::Exponential { base, cap, jitter } => {
                let whole = 2_u32
                    .checked_pow(before)
                    .and_then(|factor| base.checked_mul(factor))
                    .map_or(*cap, |delay| delay.min(*cap));
                if *jitter {
                    whole.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
                } else {
                    whole
                }
            }
            Self::Fixed { wait } => *wait,
            Self::List { waits } => {
                let nth = usize::try_from(before).unwrap_or(usize::MAX);
                waits.get(nth).or(waits.last()).copied().unwrap_or_default()
            }
        }
    }

    /// The wait after attempt number `attempt` has failed, drawn with randomness of the system.
    #[must_use]
    pub fn draw(&self, attempt: i16) -> Duration {
        self.delay(attempt, random())
    }

    /// What is wrong with it, in words; `None` when it can be used.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let too_long = |wait: &Duration| {
            (*wait > YEAR).then(|| format!("waits {wait:?}, and no wait may be longer than a year"))
        };
        match self {
            Self::Exponential { base, cap, .. } if base > cap => Some(format!(
                "begins at {base:?} and is capped at {cap:?}: the cap must not be below the beginning"
            )),
            Self::Exponential { cap, .. } => too_long(cap),
            Self::Fixed { wait } => too_long(wait),
            Self::List { waits } if waits.is_empty() => {
                Some("is a list without a single wait".into())
            }
            Self::List { waits } if waits.len() > MAX_WAITS => Some(format!(
                "is a list of {} waits, at most {MAX_WAITS} are allowed",
                waits.len()
            )),
            Self::List { waits } => waits.iter().find_map(too_long),
        }
    }
}

/// A random number from 0 up to, and without, 1. Without randomness from the system: one half.
#[must_use]
pub fn random() -> f64 {
    // 53 bits are what a double holds.
    getrandom::u64().map_or(0.5, |bits| (bits >> 11) as f64 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn plain() -> Backoff {
        Backoff::Exponential {
            base: S,
            cap: S * 3600,
            jitter: false,
        }
    }

    #[test]
    fn waits_double_up_to_the_cap() {
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
            assert_eq!(plain().delay(attempt, 0.9).as_secs(), seconds, "{attempt}");
        }
    }

    #[test]
    fn jitter_stays_between_half_and_the_whole() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(3, 0.0), S * 2);
        assert_eq!(backoff.delay(3, 0.5), S * 3);
        for _ in 0..100 {
            assert!((S * 2..S * 4).contains(&backoff.draw(3)));
        }
    }

    #[test]
    fn a_fixed_wait_does_not_grow() {
        let backoff = Backoff::fixed(Duration::from_millis(10));
        assert_eq!(backoff.delay(9, 0.3), Duration::from_millis(10));
    }

    #[test]
    fn the_last_of_a_list_stays() {
        let backoff = Backoff::List {
            waits: vec![S, S * 10, S * 60],
        };
        let waits: Vec<u64> = [i16::MIN, 1, 2, 3, 4, i16::MAX]
            .map(|attempt| backoff.delay(attempt, 0.5).as_secs())
            .to_vec();
        assert_eq!(waits, [1, 1, 10, 60, 60, 60]);
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        for (backoff, word) in [
            (
                Backoff::Exponential {
                    base: S * 2,
                    cap: S,
                    jitter: true,
                },
                "below the beginning",
            ),
            (Backoff::fixed(YEAR + S), "longer than a year"),
            (Backoff::List { waits: vec![] }, "without a single wait"),
            (
                Backoff::List {
                    waits: vec![S; MAX_WAITS + 1],
                },
                "at most 1000",
            ),
            (
                Backoff::List {
                    waits: vec![S, YEAR + S],
                },
                "longer than a year",
            ),
        ] {
            let fault = backoff.fault().unwrap();
            assert!(fault.contains(word), "{fault}");
        }
        assert_eq!(Backoff::default().fault(), None);
    }

    #[test]
    fn it_is_kept_as_json() {
        for backoff in [
            Backoff::default(),
            Backoff::fixed(Duration::from_millis(1500)),
            Backoff::List { waits: vec![S] },
        ] {
            let text = serde_json::to_string(&backoff).unwrap();
            assert_eq!(
                serde_json::from_str::<Backoff>(&text).unwrap(),
                backoff,
                "{text}"
            );
        }
    }
}
