//! A claim for a remote worker: from which tickets, and what follows from its answer.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use belay_core::floors::{Offer, Weight};
use belay_core::ops::{self, Claimed, LineFloor, remote};
use belay_core::query::remote::{Standing, lines, standing};
use belay_core::{Error, Result, Session};

use super::{Remote, Serves, Shared};

/// How old the list of lines may be.
const LINES: Duration = Duration::from_secs(1);
/// How often the last ticket is read at most, to move the floors of empty lines.
const TICKET: Duration = Duration::from_millis(100);
/// Most lines in one statement.
const MAX_LINES: usize = 128;
/// How often a claim that met somebody else's lock is made again.
const TRIES: usize = 4;

/// What a claim brought.
#[derive(Debug)]
pub(crate) enum Got {
    /// Jobs, one at least.
    Jobs(Vec<Claimed>),
    /// Nothing now.
    Nothing,
    /// Nothing, and there will be nothing: the worker has asked for a check since.
    Overtaken,
    /// The worker's lease is over.
    Lost,
}

impl Shared {
    /// Claims for a worker of which the lease may be over. `checks` is how often it had asked for a check when this claim was asked
    /// for.
    pub(crate) fn claim(
        &self,
        session: &mut Session,
        worker: &Remote,
        checks: i32,
        serves: &Serves,
        tenants: Option<&[i32]>,
        slots: i32,
    ) -> Result<Got> {
        self.read_lines(session, LINES)?;
        let known = self.floors().count(Weight::Heavy);
        let mut got = self.claim_known(session, worker, checks, serves, tenants, slots)?;
        // A job that was committed before the claim is found, also when it is the first of its line.
        if matches!(got, Got::Nothing) {
            self.read_lines(session, Duration::ZERO)?;
            if self.floors().count(Weight::Heavy) > known {
                got = self.claim_known(session, worker, checks, serves, tenants, slots)?;
            }
        }
        if let Got::Jobs(jobs) = &got {
            worker.asleep.store(false, Ordering::Release);
            worker.given(jobs);
        }
        Ok(got)
    }

    /// From the lines that are known.
    fn claim_known(
        &self,
        session: &mut Session,
        worker: &Remote,
        checks: i32,
        serves: &Serves,
        tenants: Option<&[i32]>,
        slots: i32,
    ) -> Result<Got> {
        let jobs = match tenants {
            None => match self.claim_any(session, worker, checks, serves, slots)? {
                Ok(jobs) => jobs,
                Err(now) => return Ok(nothing(worker, checks, now)),
            },
            Some(tenants) => {
                self.by_tenant.store(true, Ordering::Release);
                let offered = self.floors().offer_all(|line| serves.line(line));
                let mut jobs = Vec::new();
                for lines in offered.chunks(MAX_LINES) {
                    jobs = claim(session, worker, checks, Some(tenants), lines, slots)?;
                    if !jobs.is_empty() {
                        break;
                    }
                }
                jobs
            }
        };
        if !jobs.is_empty() {
            return Ok(Got::Jobs(jobs));
        }
        let now = session.run(|conn| standing(conn, worker.id))?;
        Ok(nothing(worker, checks, now))
    }

    /// For all tenants, from the floors, which it moves. When nothing came: how the worker stands.
    fn claim_any(
        &self,
        session: &mut Session,
        worker: &Remote,
        checks: i32,
        serves: &Serves,
        slots: i32,
    ) -> Result<std::result::Result<Vec<Claimed>, Standing>> {
        loop {
            let last_ticket = self.last_ticket(session)?;
            let offer = self
                .floors()
                .offer_of(Weight::Heavy, |line| serves.line(line));
            let Offer { lines, more } = offer;
            let jobs = claim(session, worker, checks, None, &lines, slots)?;
            let full = jobs.len() >= usize::try_from(slots).unwrap_or(usize::MAX);
            self.short.store(!full, Ordering::Release);
            if full {
                self.floors().claimed(&jobs);
                return Ok(Ok(jobs));
            }
            // An answer that is empty because the worker gets nothing says nothing of the lines.
            let now = if jobs.is_empty() {
                Some(session.run(|conn| standing(conn, worker.id))?)
            } else {
                None
            };
            if let Some(now) = now.filter(|now| !now.alive || now.drain || now.checks != checks) {
                return Ok(Err(now));
            }
            let raisable = {
                let mut floors = self.floors();
                if !jobs.is_empty() {
                    floors.claimed(&jobs);
                }
                floors.exhausted(lines, &jobs, last_ticket)
            };
            if let Some(last) = last_ticket.filter(|_| !raisable.is_empty()) {
                self.raise(session, raisable, last);
            }
            match now {
                None => return Ok(Ok(jobs)),
                Some(now) if !more => return Ok(Err(now)),
                Some(_) => {}
            }
        }
    }

    /// Reads the lines of remote kinds if they were not read for so long.
    pub(super) fn read_lines(&self, session: &mut Session, age: Duration) -> Result<bool> {
        {
            let mut read = self
                .lines_read
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if read.is_some_and(|at| at.elapsed() < age) {
                return Ok(false);
            }
            *read = Some(Instant::now());
        }
        let known = session.run(lines);
        if known.is_err() {
            *self
                .lines_read
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = None;
        }
        let mut floors = self.floors();
        let before = floors.count(Weight::Heavy);
        for line in &known? {
            floors.learn(line, Weight::Heavy);
        }
        Ok(floors.count(Weight::Heavy) > before)
    }

    /// The last ticket, when the next claim may be empty and it was not read just now.
    fn last_ticket(&self, session: &mut Session) -> Result<Option<i64>> {
        if !self.short.load(Ordering::Acquire) {
            return Ok(None);
        }
        {
            let mut read = self
                .ticket_read
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if read.elapsed() < TICKET {
                return Ok(None);
            }
            *read = Instant::now();
        }
        session.run(ops::last_ticket).map(Some)
    }

    /// Moves the floors of empty lines, except where a job is queued that somebody else holds locked.
    fn raise(&self, session: &mut Session, mut lines: Vec<LineFloor>, last_ticket: i64) {
        match session.run(|conn| ops::lines_with_work(conn, &lines)) {
            Ok(busy) => {
                lines.retain(|offer| !busy.contains(&offer.line));
                let mut floors = self.floors();
                floors.raise(&lines, last_ticket);
                floors.activate(&busy);
            }
            // Only speed was at stake.
            Err(error) => tracing::debug!(%error, "the floors of empty lines were not moved"),
        }
    }

    /// Writes a worker down as sleeping, so that whoever enqueues notifies. It must look for work once more after that. Answers
    /// whether it was not written down before.
    pub(crate) fn put_to_sleep(&self, session: &mut Session, worker: &Arc<Remote>) -> Result<bool> {
        if !self.listening.load(Ordering::Acquire) || worker.asleep.swap(true, Ordering::AcqRel) {
            return Ok(false);
        }
        let written = session.run(|conn| ops::sleep(conn, worker.id));
        if written.is_err() {
            worker.asleep.store(false, Ordering::Release);
        }
        written.map(|()| true)
    }
}

/// Why a claim brought nothing.
fn nothing(worker: &Remote, checks: i32, now: Standing) -> Got {
    worker.checks.fetch_max(now.checks, Ordering::AcqRel);
    match now.alive {
        false => Got::Lost,
        true if now.checks == checks => Got::Nothing,
        true => Got::Overtaken,
    }
}

fn claim(
    session: &mut Session,
    worker: &Remote,
    checks: i32,
    tenants: Option<&[i32]>,
    lines: &[LineFloor],
    slots: i32,
) -> Result<Vec<Claimed>> {
    let mut tries = 0;
    loop {
        let claimed =
            session.run(|conn| remote::claim(conn, worker.id, checks, tenants, lines, slots));
        match claimed {
            // Another claim of the same worker is at it.
            Err(Error::Busy(_)) if tries < TRIES => tries += 1,
            other => return other,
        }
    }
}
