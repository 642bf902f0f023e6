//! Everything else that can be done to one job.

use belay_core::id::JobRef;
use belay_core::{Db, JobState, Result, ops, query};

use super::Caller;
use super::read::Seen;

/// A change of state that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    /// The number of the job.
    pub(crate) id: i64,
    /// State before.
    pub(crate) was: JobState,
    /// State now.
    pub(crate) state: JobState,
}

/// Enqueues a new job with the content of a finished one, and answers the new one.
///
/// # Errors
/// Those of [`ops::retry`].
pub(crate) fn retry(db: &Db, caller: &Caller, job: JobRef, reason: Option<&str>) -> Result<Seen> {
    let (tenant, actor) = (Some(caller.tenant), caller.actor());
    db.tx(|conn| {
        let id = query::resolve(conn, tenant, &job)?;
        let new = ops::retry(conn, tenant, id, &actor, reason)?;
        Ok(Seen {
            job: query::get(conn, tenant, &JobRef::number(new))?,
            progress: None,
        })
    })
}

/// Asks the worker of a running job to hold it still.
///
/// # Errors
/// Those of [`ops::suspend`].
pub(crate) fn suspend(
    db: &Db,
    caller: &Caller,
    job: JobRef,
    reason: Option<&str>,
) -> Result<Moved> {
    let (tenant, actor) = (Some(caller.tenant), caller.actor());
    db.tx(|conn| {
        let id = query::resolve(conn, tenant, &job)?;
        let was = ops::suspend(conn, tenant, id, &actor, reason)?;
        Ok(Moved {
            id,
            was,
            state: JobState::Suspended,
        })
    })
}

/// Lets a suspended job go on.
///
/// # Errors
/// Those of [`ops::resume`].
pub(crate) fn resume(db: &Db, caller: &Caller, job: JobRef, reason: Option<&str>) -> Result<Moved> {
    let (tenant, actor) = (Some(caller.tenant), caller.actor());
    db.tx(|conn| {
        let id = query::resolve(conn, tenant, &job)?;
        let was = ops::resume(conn, tenant, id, &actor, reason)?;
        Ok(Moved {
            id,
            was,
            state: JobState::Running,
        })
    })
}

/// Puts a scheduled job into its line now.
///
/// # Errors
/// Those of [`ops::start_now`].
pub(crate) fn start_now(
    db: &Db,
    caller: &Caller,
    job: JobRef,
    reason: Option<&str>,
) -> Result<Moved> {
    let (tenant, actor) = (Some(caller.tenant), caller.actor());
    db.tx(|conn| {
        let id = query::resolve(conn, tenant, &job)?;
        let was = ops::start_now(conn, tenant, id, &actor, reason)?;
        Ok(Moved {
            id,
            was,
            state: JobState::Queued,
        })
    })
}

/// Deletes the content of a finished job.
///
/// # Errors
/// Those of [`ops::delete_data`].
pub(crate) fn delete_data(
    db: &Db,
    caller: &Caller,
    job: JobRef,
    reason: Option<&str>,
) -> Result<()> {
    let (tenant, actor) = (Some(caller.tenant), caller.actor());
    db.tx(|conn| {
        let id = query::resolve(conn, tenant, &job)?;
        ops::delete_data(conn, tenant, id, &actor, reason)
    })
}
