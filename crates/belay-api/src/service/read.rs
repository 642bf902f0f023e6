//! Looking at jobs.

use std::collections::HashMap;

use belay_core::id::JobRef;
use belay_core::model::{EventRow, Job, OutputView, ProgressView};
use belay_core::query::{self, JobFilter};
use belay_core::{Db, JobState, Result};

use super::Caller;

/// A job and how far it is.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) job: Job,
    pub(crate) progress: Option<ProgressView>,
}

/// A job of the caller's tenant.
///
/// # Errors
/// [`belay_core::Error::Missing`], and those of the database.
pub(crate) fn get(db: &Db, caller: &Caller, job: &JobRef) -> Result<Seen> {
    db.read(|conn| {
        let job = query::find(conn, Some(caller.tenant), job, caller.forgets())?;
        let progress = match job.started_at {
            Some(_) => query::progress(conn, job.id)?,
            None => None,
        };
        Ok(Seen { job, progress })
    })
}

/// Fails when the caller's tenant has no such job.
///
/// # Errors
/// As [`get`].
pub(crate) fn exists(db: &Db, caller: &Caller, job: &JobRef) -> Result<()> {
    state(db, caller, job).map(drop)
}

/// Where a job stands.
///
/// # Errors
/// As [`get`].
pub(crate) fn state(db: &Db, caller: &Caller, job: &JobRef) -> Result<JobState> {
    db.read(|conn| Ok(query::find(conn, Some(caller.tenant), job, caller.forgets())?.state))
}

/// A page of jobs of the caller's tenant, newest first, and whether there may be more; the filter's own tenant does not matter.
///
/// # Errors
/// Those of [`query::list`].
pub(crate) fn list(
    db: &Db,
    caller: &Caller,
    filter: &JobFilter,
    limit: i64,
) -> Result<(Vec<Seen>, bool)> {
    let filter = JobFilter {
        tenant: Some(caller.tenant),
        not_gone: caller.forgets(),
        ..filter.clone()
    };
    db.read(|conn| {
        let listed = query::list(conn, &filter, limit)?;
        // Nothing that never started has any.
        let started: Vec<i64> = listed
            .jobs
            .iter()
            .filter(|job| job.started_at.is_some())
            .map(|job| job.id)
            .collect();
        let mut progress = query::progress_of(conn, &started)?;
        let seen = listed.jobs.into_iter().map(|job| Seen {
            progress: progress.remove(&job.id),
            job,
        });
        Ok((seen.collect(), listed.more))
    })
}

/// A page of jobs of the caller's tenant after the first `offset`, newest first, and how many there are, as
/// [`query::counted_page`] counts. The filter's own tenant does not matter.
///
/// # Errors
/// Those of [`query::counted_page`].
pub(crate) fn page(
    db: &Db,
    caller: &Caller,
    filter: &JobFilter,
    offset: i64,
    limit: i64,
) -> Result<(Vec<Job>, i64)> {
    let filter = JobFilter {
        tenant: Some(caller.tenant),
        not_gone: caller.forgets(),
        ..filter.clone()
    };
    db.read(|conn| query::counted_page(conn, &filter, offset, limit))
}

/// What the interface that made them keeps of jobs, by their numbers.
///
/// # Errors
/// Those of the database.
pub(crate) fn attributes(db: &Db, jobs: &[i64]) -> Result<HashMap<i64, serde_json::Value>> {
    db.read(|conn| query::attributes(conn, jobs))
}

/// The life of a job of the caller's tenant; first its number. Of a job that is not kept any more what is on record, which is all
/// but the ordinary: its creation, its claims and a success.
///
/// # Errors
/// As [`get`].
pub(crate) fn timeline(db: &Db, caller: &Caller, job: &JobRef) -> Result<(i64, Vec<EventRow>)> {
    db.read(|conn| query::life(conn, Some(caller.tenant), job))
}

/// A job of the caller's tenant, and its life.
///
/// # Errors
/// As [`get`].
pub(crate) fn with_life(db: &Db, caller: &Caller, job: &JobRef) -> Result<(Job, Vec<EventRow>)> {
    db.read(|conn| {
        let job = query::find(conn, Some(caller.tenant), job, caller.forgets())?;
        let events = query::timeline(conn, &job)?;
        Ok((job, events))
    })
}

/// What a job of the caller's tenant wrote, by attempt; first its number.
///
/// # Errors
/// As [`get`].
pub(crate) fn outputs(db: &Db, caller: &Caller, job: &JobRef) -> Result<(i64, Vec<OutputView>)> {
    db.read(|conn| {
        let job = query::find(conn, Some(caller.tenant), job, caller.forgets())?;
        Ok((job.id, query::outputs(conn, job.id)?))
    })
}
