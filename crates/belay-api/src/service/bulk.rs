//! Jobs as bulk actions: for interfaces in which ids are global and a key sees the jobs of every tenant it may touch.

use belay_core::id::JobRef;
use belay_core::model::{BulkView, Job};
use belay_core::ops::{self, BulkFilter, BulkKind, BulkTerms, NewJob};
use belay_core::query::{self, JobFilter};
use belay_core::{Db, Error, JobState, Result};

use super::Caller;
use crate::auth::Grant;

/// Jobs counted for a preview, at most.
const PREVIEWED: i64 = 1_000_000;

/// A job as a bulk action.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) job: Job,
    pub(crate) kept: BulkView,
}

/// Makes a job and keeps its terms. Of one that acts on the jobs of a filter it counts first how many match now.
///
/// # Errors
/// [`Error::Invalid`] for a filter that cannot be read, a term out of range, or as [`ops::enqueue`].
pub(crate) fn create(db: &Db, caller: &Caller, job: &NewJob, terms: &BulkTerms) -> Result<Action> {
    let preview = match BulkKind::of(&job.kind) {
        Some(bulk) => {
            let filter = BulkFilter::parse(bulk, &job.payload)?;
            db.tx(|conn| query::preview_bulk(conn, caller.tenant, &filter, PREVIEWED))?
        }
        None => 0,
    };
    let actor = caller.actor();
    db.tx(|conn| {
        let made = ops::enqueue(conn, caller.tenant, job, None, false, &actor)?;
        ops::keep_bulk_action(conn, made.id, terms, preview)?;
        let job = query::get(conn, Some(caller.tenant), &JobRef::number(made.id))?;
        the_only(query::bulk_actions(conn, vec![job])?)
    })
}

/// A job that the key may touch.
///
/// # Errors
/// [`Error::Missing`], also for a job of a tenant that the key may not touch.
pub(crate) fn get(db: &Db, grant: &Grant, job: &JobRef) -> Result<Action> {
    db.read(|conn| {
        let found = reached(query::find(conn, None, job, true)?, grant)?;
        the_only(query::bulk_actions(conn, vec![found])?)
    })
}

/// The tenant of a job that the key may touch.
///
/// # Errors
/// As [`get`].
pub(crate) fn tenant_of(db: &Db, grant: &Grant, job: &JobRef) -> Result<i32> {
    db.read(|conn| Ok(reached(query::find(conn, None, job, true)?, grant)?.tenant))
}

/// A page of the jobs of every tenant that the key may touch, newest first, and how many there are, as
/// [`query::counted_page`] counts.
///
/// # Errors
/// Those of [`query::counted_page`].
pub(crate) fn page(
    db: &Db,
    grant: &Grant,
    states: Vec<JobState>,
    offset: i64,
    limit: i64,
) -> Result<(Vec<Action>, i64)> {
    let mut filter = JobFilter {
        states,
        not_gone: true,
        ..JobFilter::default()
    };
    match grant.tenants.as_deref() {
        Some([only]) => filter.tenant = Some(*only),
        tenants => filter.tenants = tenants.map(<[i32]>::to_vec),
    }
    db.read(|conn| {
        let (jobs, total) = query::counted_page(conn, &filter, offset, limit)?;
        let actions = query::bulk_actions(conn, jobs)?;
        let actions = actions.into_iter().map(Action::from).collect();
        Ok((actions, total))
    })
}

/// The job, if the key may touch it.
fn reached(job: Job, grant: &Grant) -> Result<Job> {
    if grant.may_touch(job.tenant) {
        return Ok(job);
    }
    Err(Error::missing(format!("job {}", job.id)))
}

fn the_only(actions: Vec<(Job, BulkView)>) -> Result<Action> {
    let action = actions.into_iter().next().map(Action::from);
    action.ok_or_else(|| Error::missing("such job"))
}

impl From<(Job, BulkView)> for Action {
    fn from((job, kept): (Job, BulkView)) -> Self {
        Self { job, kept }
    }
}
