//! The lease as this process sees it: whether it may still act on what it holds.
//!
//! The database decides when a lease is over, by its own clock. This side only has to stop earlier, so it counts from the
//! moment before the last successful heartbeat was *sent*, by a clock of its own, and stops a margin before the end.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock;

/// One registration of this worker in the database, from its first heartbeat to its last. What is claimed under it is
/// reported under it.
#[derive(Debug)]
pub(crate) struct Registration {
    /// The worker's number.
    pub(crate) id: i64,
    /// How long after a heartbeat was sent this process may act.
    limit: Duration,
    /// When the last successful heartbeat was sent, in nanoseconds of [`clock::now`].
    renewed: AtomicU64,
    /// Until when this process may act, by the same clock.
    until: watch::Sender<Duration>,
    lost: AtomicBool,
    /// Highest ticket claimed.
    ceiling: AtomicI64,
}

impl Registration {
    /// A registration that was sent at `sent`.
    pub(crate) fn new(id: i64, lease: Duration, sent: Duration) -> Self {
        let registration = Self {
            id,
            limit: lease.saturating_sub(margin(lease)),
            renewed: AtomicU64::new(0),
            until: watch::Sender::new(Duration::ZERO),
            lost: AtomicBool::new(false),
            ceiling: AtomicI64::new(0),
        };
        registration.renew(sent);
        registration
    }

    /// A heartbeat that was sent at `sent` has succeeded.
    pub(crate) fn renew(&self, sent: Duration) {
        let nanos = u64::try_from(sent.as_nanos()).unwrap_or(u64::MAX);
        self.renewed.fetch_max(nanos, Ordering::AcqRel);
        let until = sent.saturating_add(self.limit);
        self.until.send_if_modified(|now| {
            let later = until > *now;
            *now = until.max(*now);
            later
        });
    }

    /// Until when this process may act, by [`clock::now`]; moves with every heartbeat.
    pub(crate) fn until(&self) -> watch::Receiver<Duration> {
        self.until.subscribe()
    }

    fn renewed(&self) -> Duration {
        Duration::from_nanos(self.renewed.load(Ordering::Acquire))
    }

    /// Whether this process may act at `now`, and for how long.
    pub(crate) fn standing(&self, now: Duration) -> Standing {
        if self.is_lost() {
            return Standing::Over;
        }
        standing(now, self.renewed(), self.limit)
    }

    /// Whether this process may act now.
    pub(crate) fn is_valid(&self) -> bool {
        matches!(self.standing(clock::now()), Standing::Good { .. })
    }

    /// Time since the last successful heartbeat was sent.
    pub(crate) fn age(&self) -> Duration {
        clock::now().saturating_sub(self.renewed())
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Marks it lost, for good. `true` the first time.
    pub(crate) fn lose(&self) -> bool {
        !self.lost.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn raise_ceiling(&self, ticket: i64) {
        self.ceiling.fetch_max(ticket, Ordering::AcqRel);
    }

    pub(crate) fn ceiling(&self) -> i64 {
        self.ceiling.load(Ordering::Acquire)
    }
}

/// What a worker may do under its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Act, for this long if no heartbeat succeeds.
    Good {
        /// Time left.
        left: Duration,
    },
    /// Stop everything.
    Over,
}

/// Decides by the clock alone.
fn standing(now: Duration, renewed: Duration, limit: Duration) -> Standing {
    match limit.checked_sub(now.saturating_sub(renewed)) {
        Some(left) if !left.is_zero() => Standing::Good { left },
        _ => Standing::Over,
    }
}

/// How long before the end of a lease everything must have been told to stop: a fifth of it, at least 2 seconds, at most
/// half.
fn margin(lease: Duration) -> Duration {
    (lease / 5).max(Duration::from_secs(2).min(lease / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_margin_grows_with_the_lease() {
        for (lease, expected) in [
            (s(1), Duration::from_millis(500)),
            (s(3), Duration::from_millis(1500)),
            (s(4), s(2)),
            (s(10), s(2)),
            (s(15), s(3)),
            (s(3600), s(720)),
        ] {
            assert_eq!(margin(lease), expected, "{lease:?}");
        }
    }

    #[test]
    fn a_lease_is_good_until_its_limit_has_passed_since_the_last_beat_was_sent() {
        assert_eq!(
            standing(s(100), s(100), s(12)),
            Standing::Good { left: s(12) }
        );
        assert_eq!(
            standing(s(111), s(100), s(12)),
            Standing::Good { left: s(1) }
        );
        assert_eq!(standing(s(112), s(100), s(12)), Standing::Over);
        // Frozen for an hour.
        assert_eq!(standing(s(3700), s(100), s(12)), Standing::Over);
        // A beat that another thread has just noted.
        assert_eq!(
            standing(s(99), s(100), s(12)),
            Standing::Good { left: s(12) }
        );
    }

    #[test]
    fn a_late_answer_never_takes_a_renewal_back() {
        let registration = Registration::new(1, s(15), s(100));
        registration.renew(s(105));
        registration.renew(s(101));
        assert_eq!(registration.standing(s(110)), Standing::Good { left: s(7) });
    }

    #[test]
    fn what_is_lost_stays_lost() {
        let registration = Registration::new(1, s(15), s(100));
        assert!(registration.lose());
        assert!(!registration.lose());
        registration.renew(s(200));
        assert_eq!(registration.standing(s(200)), Standing::Over);
    }
}
