//! Looking at jobs.

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
        let job = query::get(conn, Some(caller.tenant), job)?;
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
    db.read(|conn| Ok(query::get(conn, Some(caller.tenant), job)?.state))
}

/// A page of jobs of the caller's tenant, newest first; the filter's own tenant does not matter.
///
/// # Errors
/// Those of [`query::list`].
pub(crate) fn list(db: &Db, caller: &Caller, filter: &JobFilter, limit: i64) -> Result<Vec<Seen>> {
    let filter = JobFilter {
        tenant: Some(caller.tenant),
        ..filter.clone()
    };
    db.read(|conn| {
        let jobs = query::list(conn, &filter, limit)?;
        let mut seen = Vec::with_capacity(jobs.len());
        for job in jobs {
            // Nothing that never started has any.
            let progress = match job.started_at {
                Some(_) => query::progress(conn, job.id)?,
                None => None,
            };
            seen.push(Seen { job, progress });
        }
        Ok(seen)
    })
}

/// The life of a job of the caller's tenant; first its number.
///
/// # Errors
/// As [`get`].
pub(crate) fn timeline(db: &Db, caller: &Caller, job: &JobRef) -> Result<(i64, Vec<EventRow>)> {
    db.read(|conn| {
        let job = query::get(conn, Some(caller.tenant), job)?;
        Ok((job.id, query::timeline(conn, &job)?))
    })
}

/// What a job of the caller's tenant wrote, by attempt; first its number.
///
/// # Errors
/// As [`get`].
pub(crate) fn outputs(db: &Db, caller: &Caller, job: &JobRef) -> Result<(i64, Vec<OutputView>)> {
    db.read(|conn| {
        let job = query::get(conn, Some(caller.tenant), job)?;
        Ok((job.id, query::outputs(conn, job.id)?))
    })
}
