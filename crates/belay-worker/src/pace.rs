//! When to look for work again, and when to ask for notifications. Pure: the clock is an argument.
//!
//! While jobs keep coming, the worker looks again at once. When they stop it looks after 1, 2, 4 .. milliseconds; soon it
//! registers as a sleeper, after which every new job notifies it and it can wait long. It gives that up only under lasting
//! load, so that a lightly loaded worker writes nothing per job, and a loaded one costs the enqueuers nothing.

use std::time::{Duration, Instant};

/// Empty looks after which it is worth registering as a sleeper.
const EMPTY_BEFORE_SLEEP: u32 = 3;
/// Lasting load, after which a registration as a sleeper is given up.
const LASTING: Duration = Duration::from_millis(200);
/// A wait as long as this is an end of load.
const PAUSE: Duration = Duration::from_millis(2);
/// Longest wait of a worker that will not be notified but could be: it has lately had work.
const AWAKE_MAX: Duration = Duration::from_millis(16);
/// Longest wait after notifications that led to nothing, when other workers are faster.
const HINT_GAP_MAX: Duration = Duration::from_millis(20);

/// What a claim brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Yield {
    /// As much as was asked for: there is probably more.
    Full,
    /// Something.
    Some,
    /// Nothing.
    #[default]
    Nothing,
}

/// Whether notifications can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hearing {
    /// The connection that listens is there.
    pub(crate) listening: bool,
    /// The worker is registered as a sleeper, so that it is notified.
    pub(crate) asleep: bool,
}

impl Hearing {
    const fn is_notified(self) -> bool {
        self.listening && self.asleep
    }
}

/// When to look at the lines of one weight again.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    poll_max: Duration,
    empty: u32,
    next: Instant,
}

impl Pace {
    pub(crate) fn new(poll_max: Duration, now: Instant) -> Self {
        Self {
            poll_max,
            empty: 0,
            next: now,
        }
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next <= now
    }

    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// There may be something: look at once.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.next = self.next.min(now);
    }

    /// Whether it has been empty for long enough to sleep.
    pub(crate) fn is_quiet(&self) -> bool {
        self.empty >= EMPTY_BEFORE_SLEEP
    }

    /// Takes note of a claim.
    pub(crate) fn after(&mut self, got: Yield, hearing: Hearing, now: Instant) {
        let wait = match got {
            Yield::Full => Duration::ZERO,
            // Whatever commits after the claim looked sends a notification, with two exceptions: it was enqueued before this
            // worker went to sleep, or within milliseconds of another job whose transaction is still open. Those are found by
            // the next poll, which is why there is one.
            Yield::Some if hearing.is_notified() => self.poll_max,
            Yield::Some => Duration::ZERO,
            Yield::Nothing if hearing.is_notified() => self.poll_max,
            Yield::Nothing => {
                let doubling = Duration::from_millis(1 << self.empty.min(16));
                let max = if hearing.listening {
                    AWAKE_MAX.min(self.poll_max)
                } else {
                    self.poll_max
                };
                doubling.min(max)
            }
        };
        self.empty = if got == Yield::Nothing {
            self.empty.saturating_add(1)
        } else {
            0
        };
        self.next = now + wait;
    }
}

/// How loaded the whole worker is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Load {
    busy_since: Option<Instant>,
    fruitless: u32,
}

impl Load {
    /// A round brought jobs.
    pub(crate) fn fruitful(&mut self, now: Instant) {
        self.busy_since.get_or_insert(now);
        self.fruitless = 0;
    }

    /// A round that a notification had asked for brought none.
    pub(crate) fn fruitless(&mut self) {
        self.fruitless = self.fruitless.saturating_add(1);
    }

    /// The worker had nothing to do for so long.
    pub(crate) fn waited(&mut self, duration: Duration) {
        if duration >= PAUSE {
            self.busy_since = None;
        }
    }

    /// Whether the load has lasted.
    pub(crate) fn is_lasting(&self, now: Instant) -> bool {
        self.busy_since
            .is_some_and(|since| now.saturating_duration_since(since) >= LASTING)
    }

    /// How long to wait before the next notification is followed.
    pub(crate) fn hint_gap(&self) -> Duration {
        match self.fruitless {
            // One empty look after a notification is normal: the look before had found the job already.
            0 | 1 => Duration::ZERO,
            n => Duration::from_micros(500 << n.min(10)).min(HINT_GAP_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const AWAKE: Hearing = Hearing {
        listening: true,
        asleep: false,
    };
    const ASLEEP: Hearing = Hearing {
        listening: true,
        asleep: true,
    };
    const DEAF: Hearing = Hearing {
        listening: false,
        asleep: false,
    };

    fn waits(hearing: Hearing, yields: &[Yield]) -> Vec<u128> {
        let now = Instant::now();
        let mut pace = Pace::new(250 * MS, now);
        yields
            .iter()
            .map(|got| {
                pace.after(*got, hearing, now);
                (pace.next() - now).as_millis()
            })
            .collect()
    }

    #[test]
    fn empty_looks_come_ever_later() {
        assert_eq!(
            waits(DEAF, &[Yield::Nothing; 10]),
            [1, 2, 4, 8, 16, 32, 64, 128, 250, 250]
        );
        assert_eq!(waits(AWAKE, &[Yield::Nothing; 7]), [1, 2, 4, 8, 16, 16, 16]);
        assert_eq!(waits(ASLEEP, &[Yield::Nothing; 2]), [250, 250]);
    }

    #[test]
    fn work_is_followed_at_once_unless_a_notification_will_come() {
        for hearing in [DEAF, AWAKE, ASLEEP] {
            assert_eq!(waits(hearing, &[Yield::Full]), [0], "{hearing:?}");
        }
        assert_eq!(waits(AWAKE, &[Yield::Some]), [0]);
        assert_eq!(
            waits(DEAF, &[Yield::Nothing, Yield::Some, Yield::Nothing]),
            [1, 0, 1]
        );
        assert_eq!(waits(ASLEEP, &[Yield::Some]), [250]);
    }

    #[test]
    fn it_is_quiet_after_a_few_empty_looks() {
        let now = Instant::now();
        let mut pace = Pace::new(250 * MS, now);
        for _ in 0..EMPTY_BEFORE_SLEEP {
            assert!(!pace.is_quiet());
            pace.after(Yield::Nothing, AWAKE, now);
        }
        assert!(pace.is_quiet());
        pace.after(Yield::Some, AWAKE, now);
        assert!(!pace.is_quiet());
    }

    #[test]
    fn hurrying_never_delays() {
        let now = Instant::now();
        let mut pace = Pace::new(250 * MS, now);
        pace.after(Yield::Nothing, ASLEEP, now);
        assert!(!pace.is_due(now + MS));
        pace.hurry(now + MS);
        assert!(pace.is_due(now + MS));
        pace.hurry(now + 5 * MS);
        assert_eq!(pace.next(), now + MS);
    }

    #[test]
    fn only_load_without_pauses_lasts() {
        let now = Instant::now();
        let mut load = Load::default();
        load.fruitful(now);
        load.waited(MS);
        load.fruitful(now + 100 * MS);
        assert!(!load.is_lasting(now + 199 * MS));
        assert!(load.is_lasting(now + 200 * MS));
        load.waited(PAUSE);
        assert!(!load.is_lasting(now + 300 * MS));
    }

    #[test]
    fn notifications_that_lead_to_nothing_are_followed_ever_later() {
        let mut load = Load::default();
        load.fruitless();
        assert_eq!(load.hint_gap(), Duration::ZERO);
        load.fruitless();
        assert_eq!(load.hint_gap(), 2 * MS);
        for _ in 0..100 {
            load.fruitless();
        }
        assert_eq!(load.hint_gap(), HINT_GAP_MAX);
        load.fruitful(Instant::now());
        assert_eq!(load.hint_gap(), Duration::ZERO);
    }
}
