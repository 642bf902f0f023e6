//! Enqueue: one job, or many.

use belay_core::id::JobRef;
use belay_core::ops::{self, Enqueued, NewJob};
use belay_core::{Db, Error, Result, query};

use super::Caller;
use super::read::Seen;

/// A job that was asked for.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) seen: Seen,
    /// Whether it was there before, under the same unique or idempotency key.
    pub(crate) existed: bool,
}

/// Enqueues one job for the caller's tenant.
///
/// # Errors
/// Those of [`ops::enqueue`]; [`Error::Conflict`] when the job of the idempotency key was pruned meanwhile.
pub(crate) fn enqueue(
    db: &Db,
    caller: &Caller,
    job: &NewJob,
    idempotency_key: Option<&str>,
) -> Result<Made> {
    enqueue_with(db, caller, job, idempotency_key, None)
}

/// As [`enqueue`]; `attributes` is the text of a JSON object that the interface keeps of a new job beside its payload.
///
/// # Errors
/// As [`enqueue`].
pub(crate) fn enqueue_with(
    db: &Db,
    caller: &Caller,
    job: &NewJob,
    idempotency_key: Option<&str>,
    attributes: Option<&str>,
) -> Result<Made> {
    let actor = caller.actor();
    db.tx(|conn| {
        let made = ops::enqueue(conn, caller.tenant, job, idempotency_key, false, &actor)?;
        if let Some(attributes) = attributes.filter(|_| !made.existed) {
            ops::keep_attributes(conn, made.id, attributes)?;
        }
        let job = query::get(conn, Some(caller.tenant), &JobRef::number(made.id)).map_err(
            |error| match error {
                Error::Missing { .. } => Error::Conflict {
                    message: format!(
                        "the idempotency key belongs to job {}, which is not kept any more; use a new key for a new request",
                        made.id
                    ),
                },
                other => other,
            },
        )?;
        let progress = if made.existed {
            query::progress(conn, job.id)?
        } else {
            None
        };
        Ok(Made {
            seen: Seen { job, progress },
            existed: made.existed,
        })
    })
}

/// Whether there is a kind of that name.
///
/// # Errors
/// Those of the database.
pub(crate) fn is_kind(db: &Db, name: &str) -> Result<bool> {
    db.read(|conn| query::is_kind(conn, name))
}

/// Enqueues many jobs for the caller's tenant: all or none. Answers in request order.
///
/// # Errors
/// Those of [`ops::enqueue_many`].
pub(crate) fn enqueue_many(db: &Db, caller: &Caller, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let actor = caller.actor();
    db.tx(|conn| ops::enqueue_many(conn, caller.tenant, jobs, &actor))
}
