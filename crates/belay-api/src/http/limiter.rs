//! How many requests one API key may send. Counted on this node alone, per key, whatever the interface.

use std::num::NonZeroU32;

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

/// Counts requests; off without a limit.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    keys: Option<DefaultKeyedRateLimiter<i32>>,
}

impl Limiter {
    pub(crate) fn new(limit: Option<RateLimit>) -> Self {
        Self {
            keys: limit.map(|limit| {
                RateLimiter::keyed(Quota::per_second(limit.per_second).allow_burst(limit.burst))
            }),
        }
    }

    /// Counts a request of a key, or refuses it.
    pub(crate) fn check(&self, key: i32) -> Result<(), Fault> {
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
}
