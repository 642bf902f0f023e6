//! The thread that looks for work for those who wait, and keeps the floors.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use belay_core::db::Role;
use belay_core::floors::Weight;
use belay_core::floors::plan::{Pass, Plan};
use belay_core::ops::{self, LineFloor};
use belay_core::query::remote::first_queued;
use belay_core::{Error, Result, Session};

use super::Shared;

/// Longest time between two looks while somebody waits.
const LOOK: Duration = Duration::from_millis(250);
/// Time until the next look after one that found work: those it woke may have left some.
const AGAIN: Duration = Duration::from_millis(20);
/// Longest time between two rounds.
const ROUND: Duration = Duration::from_secs(1);
/// How old the lines may be when a notification came and no known line has work.
const STALE: Duration = Duration::from_millis(50);
/// How long to wait for a database that is away.
const AWAY: Duration = Duration::from_millis(500);
/// What one statement moves at most in one line.
const BATCH: usize = 1000;
/// Most statements per sweep.
const MAX_ROUNDS: usize = 20;

pub(super) fn run(shared: &Arc<Shared>) {
    let mut session: Option<Session> = None;
    let mut hands = Hands {
        shared,
        plan: Plan::new(Instant::now()),
        next_look: Instant::now(),
        next_dormant: Instant::now(),
    };
    while !shared.has_ended() {
        let round = match &mut session {
            Some(session) => hands.round(session),
            None => shared.db.session(Role::Duty).and_then(|new| {
                let new = session.insert(new);
                hands.round(new)
            }),
        };
        let wait = match round {
            Ok(wait) => wait,
            Err(error) => {
                if matches!(error, Error::Unreachable(_)) {
                    session = None;
                }
                tracing::debug!(%error, "looking for work for remote workers failed; it is tried again");
                AWAY
            }
        };
        shared.bell.wait(wait);
    }
}

struct Hands<'a> {
    shared: &'a Shared,
    plan: Plan,
    next_look: Instant,
    next_dormant: Instant,
}

impl Hands<'_> {
    /// Does what is due, and answers how long to wait.
    fn round(&mut self, session: &mut Session) -> Result<Duration> {
        self.shared.sessions.tidy();
        let hinted = self.shared.waiting.take_hint();
        let somebody = !self.shared.waiting.is_empty();
        if somebody && (hinted || Instant::now() >= self.next_look) {
            self.look(session, hinted)?;
        }
        if Instant::now() >= self.next_dormant {
            self.next_dormant = Instant::now() + ROUND;
            let dormant = self.shared.floors().dormant();
            if !dormant.is_empty() {
                let busy = session.run(|conn| ops::lines_with_work(conn, &dormant))?;
                self.shared.floors().activate(&busy);
            }
        }
        if self.shared.by_tenant.swap(false, Ordering::AcqRel) {
            self.move_floors(session)?;
        }
        let mut wait = ROUND;
        if self.shared.floors().count(Weight::Heavy) > 0 {
            self.sweep(session)?;
            wait = self.plan.wait(Instant::now()).min(ROUND);
        }
        let now = Instant::now();
        if somebody {
            wait = wait.min(self.next_look.saturating_duration_since(now));
        }
        Ok(wait)
    }

    /// Which lines have work, for those who wait.
    fn look(&mut self, session: &mut Session, hinted: bool) -> Result<()> {
        self.shared.read_lines(session, ROUND)?;
        let mut busy = self.busy(session)?;
        if hinted && busy.is_empty() && self.shared.read_lines(session, STALE)? {
            busy = self.busy(session)?;
        }
        let woken = self.shared.waiting.wake(&busy);
        self.next_look = Instant::now() + if woken { AGAIN } else { LOOK };
        Ok(())
    }

    fn busy(&self, session: &mut Session) -> Result<Vec<ops::Line>> {
        let lines = self.shared.floors().all();
        let busy = session.run(|conn| ops::lines_with_work(conn, &lines))?;
        self.shared.floors().activate(&busy);
        Ok(busy)
    }

    /// Claims for some tenants only cannot move floors: they pass over the jobs of others. So this does, up to the first queued
    /// job of each line.
    fn move_floors(&self, session: &mut Session) -> Result<()> {
        let last = session.run(ops::last_ticket)?;
        let lines = self.shared.floors().all();
        let firsts = session.run(|conn| first_queued(conn, &lines))?;
        let mut floors = self.shared.floors();
        for (line, first) in lines.into_iter().zip(firsts) {
            let before = first.map_or(last, |ticket| ticket - 1);
            floors.raise(std::slice::from_ref::<LineFloor>(&line), before);
        }
        Ok(())
    }

    /// Finds queued jobs that claims have passed over.
    fn sweep(&mut self, session: &mut Session) -> Result<()> {
        let now = Instant::now();
        if !self.plan.wait(now).is_zero() {
            return Ok(());
        }
        let mark = session.run(ops::sweep_mark)?;
        self.plan.mark(now, mark);
        while let Some(pass) = self.plan.next(now) {
            let began = Instant::now();
            let found = self.pass(session, pass)?;
            let after = session.run(ops::sweep_mark)?;
            let ended = Instant::now();
            self.plan.done(pass, ended, began.elapsed(), found, after);
            self.plan.mark(ended, after);
        }
        Ok(())
    }

    fn pass(&self, session: &mut Session, pass: Pass) -> Result<usize> {
        let mut found = 0;
        for _ in 0..MAX_ROUNDS {
            let ranges = self.shared.floors().ranges(pass.low());
            if ranges.is_empty() {
                break;
            }
            let lines = session.run(|conn| ops::sweep(conn, &ranges))?;
            found += lines.len();
            if !lines.is_empty() {
                self.shared.metrics.swept(lines.len() as u64);
                self.shared.floors().activate(&lines);
                self.shared.wake();
            }
            if lines.len() < BATCH {
                break;
            }
        }
        Ok(found)
    }
}
