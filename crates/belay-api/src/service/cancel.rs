//! Cancel: some jobs in one step, or one by force.

use belay_core::id::JobRef;
use belay_core::model::{CancelMark, Stop};
use belay_core::ops::{self, CancelAnswer, CancelLimit, Outcome, Via};
use belay_core::{Db, Error, JobState, Result, query};

use super::Caller;
use crate::time::Time;

/// What a cancel did to one job that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cancelled {
    /// The number of the job.
    pub(crate) id: i64,
    /// State before; `None` when missing.
    pub(crate) was: Option<JobState>,
    /// State now; `None` when missing.
    pub(crate) state: Option<JobState>,
    pub(crate) outcome: Outcome,
    /// Whether the job ever ran.
    pub(crate) started: bool,
    /// The accepted cancel, when that was an earlier one.
    pub(crate) earlier: Option<CancelMark>,
    /// What is done about it now, when it is being stopped and the caller's interface tells so.
    pub(crate) stop: Option<Stop>,
    /// The worker that may still be running the code of a job that was ended by force.
    pub(crate) left_running: Option<i64>,
}

/// Cancels up to [`ops::MAX_CANCEL`] jobs of the caller's tenant in one transaction and answers in request order.
///
/// # Errors
/// [`Error::Invalid`] for the reason or too many jobs, and those of the database. A job that is missing or cannot be cancelled
/// is an answer.
pub(crate) fn cancel_many(
    db: &Db,
    caller: &Caller,
    jobs: &[JobRef],
    reason: Option<&str>,
    limit: CancelLimit,
) -> Result<Vec<Cancelled>> {
    match cancel_within(db, caller, jobs, reason, limit, false) {
        // Only gigabytes of uploads take that long, and a cancel must not fail for them.
        Err(Error::Busy(why)) if why.contains("statement timeout") => {
            cancel_within(db, caller, jobs, reason, limit, true)
        }
        done => done,
    }
}

fn cancel_within(
    db: &Db,
    caller: &Caller,
    jobs: &[JobRef],
    reason: Option<&str>,
    limit: CancelLimit,
    minutes: bool,
) -> Result<Vec<Cancelled>> {
    let (tenant, actor) = (Some(caller.tenant), caller.actor());
    db.tx(|conn| {
        if minutes {
            ops::allow_minutes(conn)?;
        }
        let mut known = Vec::with_capacity(jobs.len());
        for job in jobs {
            known.push(match query::resolve(conn, tenant, job) {
                Ok(id) => Some(id),
                Err(Error::Missing { .. }) => None,
                Err(error) => return Err(error),
            });
        }
        let ids: Vec<i64> = known.iter().copied().flatten().collect();
        let mut answers = ops::cancel_many(conn, tenant, &ids, &actor, reason, limit)?.into_iter();
        let mut all = Vec::with_capacity(jobs.len());
        for (job, id) in jobs.iter().zip(known) {
            let answer = id.and_then(|_| answers.next());
            all.push(answer.map_or_else(|| Cancelled::missing(job.id), Cancelled::from));
        }
        if caller.forgets() {
            let is_over = |c: &&Cancelled| {
                !c.outcome.is_accepted() && c.state.is_some_and(JobState::is_terminal)
            };
            let over: Vec<i64> = all.iter().filter(is_over).map(|c| c.id).collect();
            let gone = query::gone(conn, &over)?;
            for cancelled in &mut all {
                if gone.contains(&cancelled.id) {
                    *cancelled = Cancelled::missing(cancelled.id);
                }
            }
        }
        let is_earlier = |cancelled: &&mut Cancelled| cancelled.outcome == Outcome::Already;
        let earlier: Vec<i64> = all.iter_mut().filter(is_earlier).map(|c| c.id).collect();
        let marks = query::cancel_marks(conn, tenant, &earlier)?;
        for cancelled in all.iter_mut().filter(is_earlier) {
            cancelled.earlier = marks.get(&cancelled.id).cloned();
        }
        if caller.via == Via::Native {
            let is_stopping = |c: &&Cancelled| c.state == Some(JobState::Cancelling);
            let ids: Vec<i64> = all.iter().filter(is_stopping).map(|c| c.id).collect();
            let mut stops = query::stops(conn, &ids)?;
            for cancelled in &mut all {
                cancelled.stop = stops.remove(&cancelled.id);
            }
        }
        Ok(all)
    })
}

/// Cancels one job, as [`cancel_many`].
///
/// # Errors
/// As [`cancel_many`].
pub(crate) fn cancel(
    db: &Db,
    caller: &Caller,
    job: JobRef,
    reason: Option<&str>,
    limit: CancelLimit,
) -> Result<Cancelled> {
    let answers = cancel_many(db, caller, &[job], reason, limit)?;
    Ok(answers
        .into_iter()
        .next()
        .unwrap_or_else(|| Cancelled::missing(job.id)))
}

/// Ends a job as cancelled without waiting for its worker. The caller's scope was checked.
///
/// # Errors
/// [`Error::Invalid`] for the reason, and those of the database.
pub(crate) fn force(
    db: &Db,
    caller: &Caller,
    job: JobRef,
    reason: Option<&str>,
) -> Result<Cancelled> {
    let (tenant, actor) = (Some(caller.tenant), caller.actor());
    db.tx(|conn| {
        // Uploaded data goes with it, and there may be a lot of it.
        ops::allow_minutes(conn)?;
        let forced = query::resolve(conn, tenant, &job)
            .and_then(|id| ops::force_cancel(conn, tenant, id, &actor, reason));
        let mut cancelled = Cancelled::missing(job.id);
        match forced {
            Ok(forced) => {
                cancelled.was = Some(forced.was);
                cancelled.state = Some(JobState::Cancelled);
                cancelled.outcome = Outcome::Cancelled;
                cancelled.started = query::get(conn, tenant, &job)?.started_at.is_some();
                cancelled.left_running = forced.worker;
            }
            Err(Error::Missing { .. }) => {}
            Err(Error::Refused {
                state: Some(state), ..
            }) => {
                (cancelled.was, cancelled.state) = (Some(state), Some(state));
                cancelled.outcome = Outcome::Refused;
                if state == JobState::Cancelled {
                    cancelled.outcome = Outcome::Already;
                    cancelled.earlier = query::get(conn, tenant, &job)?.cancel();
                }
            }
            Err(error) => return Err(error),
        }
        Ok(cancelled)
    })
}

impl From<CancelAnswer> for Cancelled {
    fn from(answer: CancelAnswer) -> Self {
        Self {
            id: answer.id,
            was: answer.was,
            state: answer.state,
            outcome: answer.outcome,
            started: answer.started,
            earlier: None,
            stop: None,
            left_running: None,
        }
    }
}

impl Cancelled {
    pub(crate) fn missing(id: i64) -> Self {
        Self {
            id,
            was: None,
            state: None,
            outcome: Outcome::Missing,
            started: false,
            earlier: None,
            stop: None,
            left_running: None,
        }
    }

    /// Says in words what happens now.
    pub(crate) fn words(&self) -> String {
        match self.outcome {
            Outcome::Cancelled => self.words_when_over(),
            Outcome::Cancelling if self.state == Some(JobState::Cancelled) => {
                "its worker was told to stop, and has stopped".into()
            }
            Outcome::Cancelling => self
                .stop
                .as_ref()
                .map_or_else(|| "its worker was told to stop".into(), Stop::words),
            Outcome::Already => self.words_when_earlier(),
            Outcome::Refused => match self.state {
                Some(state) if state.is_terminal() => format!("has already {state}"),
                Some(state) => format!("is {state}, and was left alone"),
                None => "was left alone".into(),
            },
            Outcome::Missing => "no such job".into(),
        }
    }

    fn words_when_over(&self) -> String {
        if let Some(worker) = self.left_running {
            return format!(
                "was ended by force; worker {worker} may still be running its code until its next heartbeat"
            );
        }
        match (self.was, self.started) {
            (Some(JobState::Open), _) => {
                "it never started and never will; what was uploaded is deleted".into()
            }
            (_, false) => "it never started and never will".into(),
            (_, true) => "it was waiting for another attempt, which will not come".into(),
        }
    }

    fn words_when_earlier(&self) -> String {
        let mut words = match &self.earlier {
            Some(mark) => format!(
                "was cancelled before, at {} by {}",
                Time(mark.at),
                mark.actor
            ),
            None => "was cancelled before".into(),
        };
        if self.state == Some(JobState::Cancelling) {
            words.push_str("; it has not ended yet: ");
            words.push_str(
                &self
                    .stop
                    .as_ref()
                    .map_or_else(|| "its worker was told to stop".into(), Stop::words),
            );
        }
        words
    }
}
