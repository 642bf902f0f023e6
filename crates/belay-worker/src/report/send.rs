//! Sends one batch and says what became of each report in it.

use std::collections::HashMap;

use belay_core::ops::{self, Report, Settled};
use belay_core::{Error, JobState, Result, Session};
use diesel::connection::SimpleConnection;

use super::item::Batch;

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The job is in this state now.
    Became(JobState),
    /// The job is suspended; report again when it goes on.
    Suspended,
    /// The job changed at the same moment; report again.
    Changed,
    /// This worker does not hold the job any more.
    Stale,
}

/// How long a suspect may wait for a lock, in milliseconds. Long enough for a transaction that is about to commit.
const SHORT_WAIT: &str = "set local lock_timeout = '25ms'";

/// Sends a batch; one answer per report, in order.
///
/// # Errors
/// Those of the database. Nothing was settled then, unless the connection was lost.
pub(crate) fn send(session: &mut Session, batch: &Batch, suspect: bool) -> Result<Vec<Answer>> {
    if batch.is_success() {
        successes(session, batch, suspect)
    } else {
        others(session, batch, suspect)
    }
}

fn successes(session: &mut Session, batch: &Batch, suspect: bool) -> Result<Vec<Answer>> {
    let worker = batch.registration.id;
    let keys: Vec<_> = batch.keys().collect();
    let settled = if suspect {
        session.tx(|conn| {
            conn.batch_execute(SHORT_WAIT)?;
            ops::complete(conn, worker, &keys)
        })?
    } else {
        session.run(|conn| ops::complete(conn, worker, &keys))?
    };
    let settled: HashMap<i64, JobState> = settled.into_iter().collect();
    if settled.len() == keys.len() {
        return Ok(keys
            .iter()
            .map(|(id, _)| {
                settled
                    .get(id)
                    .map_or(Answer::Changed, |state| Answer::Became(*state))
            })
            .collect());
    }
    let missing: Vec<_> = keys
        .iter()
        .filter(|(id, _)| !settled.contains_key(id))
        .copied()
        .collect();
    // What was settled is settled, whatever happens to this question.
    let held: Option<HashMap<i64, JobState>> = session
        .run(|conn| ops::unresolved(conn, worker, &missing))
        .ok()
        .map(|held| held.into_iter().collect());
    Ok(keys
        .iter()
        .map(|(id, _)| match (settled.get(id), &held) {
            (Some(state), _) => Answer::Became(*state),
            (None, None) => Answer::Changed,
            (None, Some(held)) => match held.get(id) {
                Some(JobState::Suspended) => Answer::Suspended,
                Some(_) => Answer::Changed,
                None => Answer::Stale,
            },
        })
        .collect())
}

fn others(session: &mut Session, batch: &Batch, suspect: bool) -> Result<Vec<Answer>> {
    let reports: Vec<Report> = batch
        .items
        .iter()
        .map(|item| Report {
            id: item.key.0,
            fence: item.key.1,
            verdict: item.verdict(),
        })
        .collect();
    let settled = session.tx(|conn| {
        if suspect {
            conn.batch_execute(SHORT_WAIT).map_err(Error::from)?;
        }
        ops::settle(conn, batch.registration.id, &reports)
    })?;
    Ok(settled
        .into_iter()
        .map(|settled| match settled {
            Settled::Now(state) => Answer::Became(state),
            Settled::Held => Answer::Suspended,
            Settled::Stale => Answer::Stale,
        })
        .collect())
}
