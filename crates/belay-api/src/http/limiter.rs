//! How many requests one API key may send. Counted on this node alone, per key, whatever the interface.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::Fault;

/// Requests that one API key may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once after a pause.
    pub burst: NonZeroU32,
}

/// Keys counted at once; above that, those that have been quiet are forgotten.
const MANY: usize = 10_000;

/// Counts requests, for each key apart; off without a limit.
#[derive(Debug)]
pub(crate) struct Limiter<K: Hash + Eq + Copy = i32> {
    keys: Option<DefaultKeyedRateLimiter<K>>,
}

impl<K: Hash + Eq + Copy> Limiter<K> {
    pub(crate) fn new(limit: Option<RateLimit>) -> Self {
        Self {
            keys: limit.map(|limit| {
                RateLimiter::keyed(Quota::per_second(limit.per_second).allow_burst(limit.burst))
            }),
        }
    }

    /// One request, and the next after the interval. Off when that is zero.
    pub(crate) fn spaced(interval: Duration) -> Self {
        Self {
            keys: Quota::with_period(interval).map(RateLimiter::keyed),
        }
    }

    /// Counts a request of a key, or refuses it.
    pub(crate) fn check(&self, key: K) -> Result<(), Fault> {
        let Some(keys) = &self.keys else {
            return Ok(());
        };
        if keys.len() > MANY {
            keys.retain_recent();
        }
        keys.check_key(&key).map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            Fault::rate_limited(wait.as_millis().div_ceil(1000).clamp(1, 86_400) as u64)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_burst_and_no_limit_is_none() {
        let three = NonZeroU32::new(3).unwrap();
        let limiter = Limiter::new(Some(RateLimit {
            per_second: NonZeroU32::MIN,
            burst: three,
        }));
        for key in [1, 2] {
            for _ in 0..3 {
                limiter.check(key).unwrap();
            }
            let fault = limiter.check(key).unwrap_err();
            assert_eq!(fault.about.retry_after, Some(1));
        }
        let off = Limiter::new(None);
        assert!((0..1000).all(|_| off.check(1).is_ok()));
    }

    #[test]
    fn spaced_is_one_for_each_key_in_the_interval() {
        let limiter = Limiter::spaced(Duration::from_secs(10));
        for key in [(1, 7_i64), (1, 8), (2, 7)] {
            limiter.check(key).unwrap();
            let fault = limiter.check(key).unwrap_err();
            assert_eq!(fault.about.retry_after, Some(10));
        }
        let off = Limiter::spaced(Duration::ZERO);
        assert!((0..1000).all(|_| off.check(1).is_ok()));
    }
}
