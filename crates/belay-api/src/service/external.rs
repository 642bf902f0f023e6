//! Jobs that programs outside plan, start and report on themselves.

use belay_core::id::JobRef;
use belay_core::ops::{self, Verdict};
use belay_core::{Db, JobState, Result, query};
use chrono::{DateTime, Utc};

use super::Caller;

/// Moves the time from which a job that never started may run; `None` is now. Answers the state it is in now.
///
/// # Errors
/// Those of [`ops::schedule`].
pub(crate) fn schedule(
    db: &Db,
    caller: &Caller,
    job: JobRef,
    run_at: Option<DateTime<Utc>>,
) -> Result<JobState> {
    let (tenant, actor) = (Some(caller.tenant), caller.actor());
    db.tx(|conn| {
        let id = query::resolve(conn, tenant, &job)?;
        ops::schedule(conn, tenant, id, run_at, &actor)
    })
}

/// Gives a queued job to the program that asks.
///
/// # Errors
/// Those of [`ops::start_external`].
pub(crate) fn start(db: &Db, caller: &Caller, job: JobRef) -> Result<()> {
    let (tenant, actor) = (Some(caller.tenant), caller.actor());
    db.tx(|conn| {
        let id = query::resolve(conn, tenant, &job)?;
        ops::start_external(conn, tenant, id, &actor).map(drop)
    })
}

/// How it went, as a program outside says.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) success: bool,
    pub(crate) comment: Option<String>,
}

/// Ends a job that a program outside had started, and answers how: a cancel that came first goes before what is reported.
///
/// # Errors
/// Those of [`ops::finish_external`].
pub(crate) fn finish(db: &Db, caller: &Caller, job: JobRef, outcome: Outcome) -> Result<JobState> {
    let (tenant, actor) = (Some(caller.tenant), caller.actor());
    // Why it failed is content of the job and goes with its data; a word beside a success is part of the record.
    let (verdict, comment) = if outcome.success {
        (Verdict::Completed, outcome.comment)
    } else {
        let error = outcome
            .comment
            .unwrap_or_else(|| "reported as failed, without a comment".to_owned());
        let verdict = Verdict::Failed {
            error,
            delay_s: 0.0,
            retry: false,
        };
        (verdict, None)
    };
    db.tx(|conn| {
        let id = query::resolve(conn, tenant, &job)?;
        let verdict = verdict.clone();
        ops::finish_external(conn, tenant, id, &actor, verdict, comment.as_deref())
    })
}
