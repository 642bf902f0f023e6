//! Where to sweep and when. Pure: the clock and the marks are arguments.
//!
//! Three passes. *Near* looks at the tickets of the last two seconds, which is where nearly every late commit lies. *Deep*
//! begins at a bound left of which nothing can appear any more. *Full* begins at the first ticket, once a minute, for what
//! the bound cannot know: a COPY takes tickets before its transaction has a number.
//!
//! The bound moves up to a ticket when (1) every transaction that could have taken a ticket up to there has ended, and after
//! that (2) a deep pass found nothing, then every transaction that was running during it has ended, and another deep pass
//! found nothing either. The second pass is for jobs that somebody held locked during the first.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::ops::SweepMark;

/// How far back near passes look, and how long a transaction may take from its first ticket to its number.
const NEAR: Duration = Duration::from_secs(2);
const NEAR_EVERY: Duration = Duration::from_millis(250);
const DEEP_EVERY: Duration = Duration::from_secs(5);
const FULL_EVERY: Duration = Duration::from_secs(60);
/// A pass takes at most a fiftieth of the time.
const SHARE: u32 = 50;
/// Marks kept; when there are more, every second old one is dropped.
const MAX_MARKS: usize = 256;
/// Full passes that are made after the last ticket was given out.
const FULL_AFTER_LAST: u32 = 2;

/// A pass to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Over the tickets of the last two seconds.
    Near {
        /// The first ticket to look at.
        low: i64,
    },
    /// From where nothing can appear any more.
    Deep {
        /// The first ticket to look at.
        low: i64,
    },
    /// Over everything.
    Full,
}

impl Pass {
    /// The first ticket to look at.
    #[must_use]
    pub const fn low(self) -> i64 {
        match self {
            Self::Near { low } | Self::Deep { low } => low,
            Self::Full => 0,
        }
    }
}

/// A ticket that the bound may move to.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    ticket: i64,
    /// When no transaction below this is left, those that ran during the first clean pass have ended.
    turnover: i64,
}

/// The passes of one set of floors.
#[derive(Debug)]
pub struct Plan {
    /// Oldest first.
    marks: VecDeque<(Instant, SweepMark)>,
    bound: i64,
    candidate: Option<Candidate>,
    next_near: Instant,
    next_deep: Instant,
    next_full: Instant,
    /// The last ticket at the latest full pass, and how many were made since it was given out.
    full: (i64, u32),
}

impl Plan {
    /// A plan that knows of no ticket yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            marks: VecDeque::new(),
            bound: 0,
            candidate: None,
            next_near: now,
            next_deep: now,
            next_full: now + FULL_EVERY,
            full: (0, 0),
        }
    }

    /// Takes a mark in. One must be taken before every pass.
    pub fn mark(&mut self, now: Instant, mark: SweepMark) {
        self.marks.push_back((now, mark));
        // Those that the bound has passed are of no more use, except for the age they give.
        while self.marks.len() > 2
            && self
                .marks
                .get(1)
                .is_some_and(|(at, m)| m.last_ticket <= self.bound && now - *at > 2 * NEAR)
        {
            self.marks.pop_front();
        }
        if self.marks.len() > MAX_MARKS {
            let young = MAX_MARKS / 2;
            let old = self.marks.len() - young;
            let mut index = 0;
            self.marks.retain(|_| {
                index += 1;
                index > old || index % 2 == 0
            });
        }
    }

    fn latest(&self) -> Option<SweepMark> {
        self.marks.back().map(|(_, mark)| *mark)
    }

    /// The last ticket of two seconds ago; 0 when that is not known.
    fn near_low(&self, now: Instant) -> i64 {
        self.marks
            .iter()
            .rev()
            .find(|(at, _)| now.saturating_duration_since(*at) >= NEAR)
            .map_or(0, |(_, mark)| mark.last_ticket)
    }

    /// The next pass that is due, if any.
    pub fn next(&mut self, now: Instant) -> Option<Pass> {
        let last = self.latest()?.last_ticket;
        if self.next_full <= now {
            self.next_full = now + FULL_EVERY;
            if self.full.0 != last {
                self.full = (last, 0);
            }
            if self.full.1 < FULL_AFTER_LAST {
                self.full.1 += 1;
                return Some(Pass::Full);
            }
        }
        if self.next_deep <= now {
            self.next_deep = now + DEEP_EVERY;
            // Tickets below the last one; the last one itself may not have been given out at all.
            if self.bound < last - 1 {
                return Some(Pass::Deep {
                    low: self.bound + 1,
                });
            }
        }
        if self.next_near <= now {
            self.next_near = now + NEAR_EVERY;
            let low = self.near_low(now);
            if low < last {
                return Some(Pass::Near { low });
            }
        }
        None
    }

    /// A pass was made. The latest mark that was taken in is from before it, `after` from after it.
    pub fn done(
        &mut self,
        pass: Pass,
        now: Instant,
        took: Duration,
        found: usize,
        after: SweepMark,
    ) {
        let rest = took * SHARE;
        match pass {
            Pass::Near { .. } => self.next_near = now + rest.max(NEAR_EVERY),
            Pass::Deep { .. } => {
                self.next_deep = now + rest.max(DEEP_EVERY);
                self.move_bound(found, after);
            }
            Pass::Full => self.next_full = now + rest.max(FULL_EVERY),
        }
    }

    fn move_bound(&mut self, found: usize, after: SweepMark) {
        let Some(mark) = self.latest() else {
            return;
        };
        if found > 0 {
            self.candidate = None;
            return;
        }
        if let Some(candidate) = self.candidate
            && mark.oldest_xid >= candidate.turnover
        {
            self.bound = self.bound.max(candidate.ticket);
            self.candidate = None;
        }
        if self.candidate.is_none()
            && let Some(ticket) = self.finished_ticket(mark.oldest_xid)
            && ticket > self.bound
        {
            self.candidate = Some(Candidate {
                ticket,
                turnover: after.next_xid,
            });
        }
    }

    /// The highest ticket whose transaction, and those of all before it, must have ended when `oldest` is the oldest one
    /// running: two seconds after the ticket was the last, a mark was taken that is below `oldest`.
    fn finished_ticket(&self, oldest: i64) -> Option<i64> {
        let ended_at = self
            .marks
            .iter()
            .rev()
            .find(|(_, mark)| mark.next_xid <= oldest)
            .map(|(at, _)| *at)?;
        self.marks
            .iter()
            .rev()
            .find(|(at, _)| ended_at.saturating_duration_since(*at) >= NEAR)
            .map(|(_, mark)| mark.last_ticket - 1)
    }

    /// Time until the next pass.
    #[must_use]
    pub fn wait(&self, now: Instant) -> Duration {
        self.next_near
            .min(self.next_deep)
            .min(self.next_full)
            .saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests;
