//! What remote workers, and receivers of jobs of the executor `http`, ask for.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use belay_core::id::JobRef;
use belay_core::ops::remote::{
    self, Beaten, Output, Received, Registration, Report, Said, Shown, Wanted,
};
use belay_core::ops::{self, Actor, ProgressRow, Settled};
use belay_core::query::remote::Signal;
use belay_core::{Db, Error, Result, Session, query};

use crate::auth::Grant;

/// How long reports on jobs that somebody holds locked are tried again.
const PATIENCE: Duration = Duration::from_secs(1);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// Registers a remote worker, and the kinds that are new.
///
/// # Errors
/// Those of [`remote::register`].
pub(crate) fn register(db: &Db, new: &Registration) -> Result<i64> {
    db.tx(|conn| remote::register(conn, new))
}

/// Ends a worker's lease.
///
/// # Errors
/// Those of the database.
pub(crate) fn leave(db: &Db, worker: i64) -> Result<()> {
    db.tx(|conn| ops::stop(conn, worker))
}

/// Says that a worker shall claim nothing more.
///
/// # Errors
/// Those of [`remote::drain`].
pub(crate) fn drain(db: &Db, worker: i64) -> Result<()> {
    db.tx(|conn| remote::drain(conn, worker))
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was settled.
    Settled(Settled),
    /// Somebody else held the job locked for too long; nothing was changed.
    Busy,
}

/// Settles reports of a worker; one answer per report, in order. Each is settled or not on its own: a job that somebody holds
/// locked does not keep the others.
///
/// # Errors
/// Those of the database; a part may have been settled then.
pub(crate) fn finish(
    session: &mut Session,
    worker: i64,
    reports: &[Report],
) -> Result<Vec<Answer>> {
    let until = Instant::now() + PATIENCE;
    let mut answers = vec![Answer::Busy; reports.len()];
    // Ranges that are still to be settled. What meets a lock is halved until the job that is locked stands alone.
    let mut todo = VecDeque::new();
    todo.push_back(0..reports.len());
    while let Some(range) = todo.pop_back() {
        let Some(part) = reports.get(range.clone()) else {
            continue;
        };
        match finish_part(session, worker, part) {
            Ok(settled) => {
                for (answer, settled) in answers.iter_mut().skip(range.start).zip(settled) {
                    *answer = Answer::Settled(settled);
                }
            }
            Err(Error::Busy(_)) if range.len() > 1 => {
                let middle = range.start + range.len() / 2;
                todo.push_back(middle..range.end);
                todo.push_back(range.start..middle);
            }
            Err(Error::Busy(_)) => {
                if Instant::now() < until {
                    std::thread::sleep(PAUSE);
                    // After all others.
                    todo.push_front(range);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(answers)
}

fn finish_part(session: &mut Session, worker: i64, reports: &[Report]) -> Result<Vec<Settled>> {
    let plain = reports
        .iter()
        .all(|report| report.said == Said::Completed && report.output.is_none());
    if !plain {
        return session.tx(|conn| remote::finish(conn, worker, reports));
    }
    let keys: Vec<(i64, i32)> = reports.iter().map(|r| (r.id, r.fence)).collect();
    let done = session.run(|conn| ops::complete(conn, worker, &keys))?;
    let mut done: HashMap<i64, _> = done.into_iter().collect();
    // Once each: a second report on the same job finds it gone.
    let mut settled: Vec<Option<Settled>> = reports
        .iter()
        .map(|report| done.remove(&report.id).map(Settled::Now))
        .collect();
    let rest: Vec<Report> = reports
        .iter()
        .zip(&settled)
        .filter(|(_, settled)| settled.is_none())
        .map(|(report, _)| report.clone())
        .collect();
    if !rest.is_empty() {
        // What was settled is settled: a lock that is met now concerns the rest only.
        let mut again = finish_rest(session, worker, &rest)?.into_iter();
        for place in settled.iter_mut().filter(|place| place.is_none()) {
            *place = again.next();
        }
    }
    Ok(settled
        .into_iter()
        .map(|settled| settled.unwrap_or(Settled::Stale))
        .collect())
}

/// Those that completing did not reach: they changed at the same moment, are suspended, or are not held any more.
fn finish_rest(session: &mut Session, worker: i64, rest: &[Report]) -> Result<Vec<Settled>> {
    let until = Instant::now() + PATIENCE;
    loop {
        match session.tx(|conn| remote::finish(conn, worker, rest)) {
            Err(Error::Busy(_)) if Instant::now() < until => std::thread::sleep(PAUSE),
            other => return other,
        }
    }
}

/// What a heartbeat is told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) beaten: Beaten,
    pub(crate) signals: Vec<Signal>,
    pub(crate) lost: Vec<(i64, i32)>,
}

/// Renews a lease and answers everything that is wanted. `None`: the lease is over.
///
/// # Errors
/// Those of the database.
pub(crate) fn beat(
    session: &mut Session,
    worker: i64,
    held: &[(i64, i32)],
    draining: bool,
    shown: &[Shown],
    check: bool,
) -> Result<Option<(Told, Option<i32>)>> {
    let running = i32::try_from(held.len()).unwrap_or(i32::MAX);
    let until = Instant::now() + PATIENCE;
    let beaten = loop {
        // A claim of the same worker may hold its row for a moment.
        match session.run(|conn| remote::beat(conn, worker, running, draining)) {
            Err(Error::Busy(_)) if Instant::now() < until => {}
            other => break other?,
        }
    };
    let Some(beaten) = beaten else {
        return Ok(None);
    };
    match session.run(|conn| remote::save_progress_of(conn, worker, shown)) {
        // The lease is renewed, and the next heartbeat brings it again.
        Err(Error::Busy(why)) => {
            tracing::debug!(worker, %why, "what some jobs showed was not kept");
        }
        other => other?,
    }
    let checks = if check {
        let Some(checks) = session.run(|conn| remote::begin_check(conn, worker))? else {
            return Ok(None);
        };
        let mut given_back = 0;
        loop {
            let n = session.tx(|conn| remote::give_back(conn, worker, held))?;
            given_back += n;
            if n < 500 {
                break;
            }
        }
        if given_back > 0 {
            tracing::info!(
                worker,
                jobs = given_back,
                "jobs of a lost answer were given back"
            );
        }
        Some(checks)
    } else {
        None
    };
    let told = Told {
        beaten,
        signals: session.run(|conn| query::remote::signals(conn, worker))?,
        lost: session.run(|conn| query::remote::lost(conn, worker, held))?,
    };
    Ok(Some((told, checks)))
}

/// Settles a job of the executor `http` for its receiver.
///
/// # Errors
/// Those of [`remote::receiver_finish`].
pub(crate) fn receiver_finish(
    db: &Db,
    grant: &Grant,
    job: JobRef,
    report: &Report,
    actor: &Actor,
) -> Result<(i64, Received)> {
    db.tx(|conn| {
        let id = query::resolve(conn, None, &job)?;
        let report = Report {
            id,
            ..report.clone()
        };
        remote::receiver_finish(conn, grant.tenants.as_deref(), &report, actor)
            .map(|received| (id, received))
    })
}

/// Keeps what a receiver shows, and answers what is wanted of it.
///
/// # Errors
/// Those of [`remote::receiver_beat`].
pub(crate) fn receiver_beat(
    db: &Db,
    grant: &Grant,
    job: JobRef,
    fence: i32,
    output: Option<&Output>,
    progress: Option<&ProgressRow>,
) -> Result<Option<Wanted>> {
    db.tx(|conn| {
        let id = query::resolve(conn, None, &job)?;
        let tenants = grant.tenants.as_deref();
        remote::receiver_beat(conn, tenants, (id, fence), output, progress)
    })
}
