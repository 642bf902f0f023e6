//! The thread that claims jobs and starts them.
//!
//! Light kinds are claimed in batches and mostly run on the spot; heavy ones only as many as there are free slots, so that
//! the claim is the start gate; kinds that ask for it are claimed ahead, each within a window of its own. Each has its own pace. The rest is about asking the database as little as possible.

mod claim;
mod lines;
mod orphans;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use belay_core::db::Role;
use belay_core::ops::{self, Claimed, Line};
use belay_core::{Error, Result};

use crate::attempt;
use crate::bell::{CHANGE, HINT, ROOM, SWEPT};
use crate::lease::Registration;
use crate::link::Link;
use crate::pace::{Hearing, Load, Pace, Yield};
use crate::shared::{Phase, Shared};
use crate::source::{Source, Weight};
use belay_core::floors::Floors;
use claim::Claim;
use orphans::Doubt;

/// How often the lines are read again, and dormant ones asked for work.
const LINES: Duration = Duration::from_secs(1);
/// Longest wait for anything.
const LOOK: Duration = Duration::from_secs(1);

/// Jobs of one weight.
struct Lane {
    weight: Weight,
    pace: Pace,
    /// Whether the last claim was not full, so that the next may be empty.
    short: bool,
    /// When the last ticket was read.
    asked: Option<Instant>,
    /// Whether it could claim but for want of room.
    blocked: bool,
}

pub(crate) struct Dispatcher {
    shared: Arc<Shared>,
    link: Link,
    lanes: Vec<Lane>,
    load: Load,
    sources: HashMap<Line, Arc<Source>>,
    /// The registration that is registered as a sleeper.
    asleep: Option<i64>,
    next_lines: Instant,
    /// Whether a notification, or something like it, has asked for this round.
    hinted: bool,
    doubt: Option<Doubt>,
}

impl Dispatcher {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let now = Instant::now();
        let lane = |weight| Lane {
            weight,
            pace: Pace::new(shared.config.poll_max, now),
            short: true,
            asked: None,
            blocked: false,
        };
        let lanes = [Weight::Light, Weight::Heavy]
            .into_iter()
            .chain((0..shared.ahead.len()).map(Weight::Ahead))
            .map(lane)
            .collect();
        Self {
            shared: Arc::clone(shared),
            link: Link::new(&shared.db, Role::Hot, Duration::from_secs(2)),
            lanes,
            load: Load::default(),
            sources: HashMap::new(),
            asleep: None,
            next_lines: now,
            hinted: false,
            doubt: None,
        }
    }

    /// Works until the worker stops claiming.
    pub(crate) fn run(mut self) {
        while self.shared.phase.now() == Phase::Work {
            let registration = self.shared.current();
            if !self.shared.check(&registration) {
                // The heartbeat registers anew and rings.
                self.wait(LOOK);
                continue;
            }
            let wait = match self.round(&registration) {
                Ok(wait) => wait,
                Err(Error::Unreachable(_)) => {
                    self.asleep = None;
                    self.link.retry_in()
                }
                Err(error) => {
                    tracing::warn!(%error, "looking for work failed; it is tried again");
                    Duration::from_millis(250)
                }
            };
            self.wait(wait);
        }
        if let Some(id) = self.asleep {
            // So that enqueuers pay for no notification that nobody needs. The end of the lease does the same.
            let _ = self.link.run(|s| s.run(|conn| ops::wake(conn, id)));
        }
    }

    /// One look at everything that is due. Answers how long to wait.
    fn round(&mut self, registration: &Arc<Registration>) -> Result<Duration> {
        self.link.connect()?;
        self.resolve_doubt(registration)?;
        let now = Instant::now();
        if now >= self.next_lines {
            self.read_lines()?;
            self.wake_dormant()?;
            self.next_lines = now + LINES;
        }
        let (mut looked, mut got) = (false, 0);
        for index in 0..self.lanes.len() {
            if let Some(n) = self.serve(index, registration)? {
                looked = true;
                got += n;
            }
        }
        if std::mem::take(&mut self.hinted) && looked && got == 0 {
            self.follow_hint()?;
        }
        if got > 0 {
            self.load.fruitful(Instant::now());
        }
        self.sleep_or_wake(registration)?;
        Ok(self.next_look().saturating_duration_since(Instant::now()))
    }

    fn next_look(&self) -> Instant {
        let lanes = self
            .lanes
            .iter()
            .filter(|lane| !lane.blocked)
            .map(|lane| lane.pace.next());
        let doubt = self.doubt.as_ref().map(Doubt::next);
        lanes.chain(doubt).fold(self.next_lines, Instant::min)
    }

    /// Waits for a bell, and lets everything be looked at that may have changed.
    fn wait(&mut self, timeout: Duration) {
        let began = Instant::now();
        let bells = &self.shared.bells.dispatcher;
        let mut heard = bells.wait(HINT | ROOM | CHANGE | SWEPT, timeout.min(LOOK));
        if heard == HINT {
            // Other workers are faster: give them a moment, and let notifications gather.
            let gap = self.load.hint_gap();
            if !gap.is_zero() {
                heard |= bells.wait(CHANGE, gap);
            }
        }
        let now = Instant::now();
        // Waiting for light jobs to be reported is load, not a pause.
        if !self
            .lanes
            .iter()
            .any(|lane| lane.weight != Weight::Heavy && lane.blocked)
        {
            self.load.waited(now.saturating_duration_since(began));
        }
        self.hinted = heard & (HINT | SWEPT) != 0;
        if heard & (HINT | SWEPT | CHANGE) != 0 {
            self.hurry();
        }
    }

    /// Lets every line be looked at now.
    fn hurry(&mut self) {
        let now = Instant::now();
        for lane in &mut self.lanes {
            lane.pace.hurry(now);
        }
    }

    fn floors(&self) -> MutexGuard<'_, Floors> {
        self.shared
            .floors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims for one lane if that is due and possible. Answers how many jobs were claimed, or `None` without a look.
    fn serve(&mut self, index: usize, registration: &Arc<Registration>) -> Result<Option<usize>> {
        let Some(lane) = self.lanes.get(index) else {
            return Ok(None);
        };
        let weight = lane.weight;
        let now = Instant::now();
        if !lane.pace.is_due(now) {
            return Ok(None);
        }
        let offer = self.floors().offer(weight);
        let room = self.room(weight);
        if let Some(lane) = self.lanes.get_mut(index) {
            lane.blocked = room == 0 && !offer.lines.is_empty();
        }
        if room == 0 && !offer.lines.is_empty() {
            return Ok(None);
        }
        let claim = if offer.lines.is_empty() {
            Claim::default()
        } else {
            self.claim(index, registration, offer, room)?
        };
        let hearing = self.hearing(registration);
        if let Some(lane) = self.lanes.get_mut(index) {
            lane.short = claim.got != Yield::Full;
            lane.pace.after(claim.got, hearing, Instant::now());
        }
        let n = claim.jobs.len();
        self.start(weight, registration, claim.jobs);
        // Only now: nothing may stand between a claim and the start of its jobs.
        if let Some((lines, last_ticket)) = claim.empty_lines {
            self.raise(lines, last_ticket);
        }
        Ok(Some(n))
    }

    fn hearing(&self, registration: &Registration) -> Hearing {
        Hearing {
            listening: self.shared.listening.load(Ordering::Acquire),
            asleep: self.asleep == Some(registration.id),
        }
    }

    fn start(&mut self, weight: Weight, registration: &Arc<Registration>, jobs: Vec<Claimed>) {
        if let Some(highest) = jobs.iter().map(|job| job.ticket).max() {
            registration.raise_ceiling(highest);
            attempt::start(&self.shared, registration, &self.sources, weight, jobs);
        }
    }

    /// Registers as a sleeper when everything is quiet, and gives that up under lasting load.
    fn sleep_or_wake(&mut self, registration: &Registration) -> Result<()> {
        if let Some(old) = self.asleep.filter(|id| *id != registration.id) {
            // It would be notified until it is forgotten.
            self.link.run(|s| s.run(|conn| ops::wake(conn, old)))?;
            self.asleep = None;
        }
        let hearing = self.hearing(registration);
        let now = Instant::now();
        if hearing.asleep {
            if self.load.is_lasting(now) {
                self.link
                    .run(|s| s.run(|conn| ops::wake(conn, registration.id)))?;
                self.asleep = None;
            }
            return Ok(());
        }
        let quiet = self
            .lanes
            .iter()
            .all(|lane| lane.blocked || lane.pace.is_quiet());
        if hearing.listening && quiet {
            self.link
                .run(|s| s.run(|conn| ops::sleep(conn, registration.id)))?;
            self.asleep = Some(registration.id);
            self.load = Load::default();
            // What was committed before that sent no notification.
            self.hurry();
        }
        Ok(())
    }
}
