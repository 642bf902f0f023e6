//! Ingest jobs: made open, filled with files, closed or aborted. What a wish does in which state is decided here, under the lock
//! of the job's row, in one transaction.

use belay_core::id::JobRef;
use belay_core::model::IngestJob;
use belay_core::ops::{self, Begun, CancelLimit, NewJob, Outcome, Uploaded};
use belay_core::query::ingest::{self, Order};
use belay_core::{Db, JobState, Result, query};

use super::Caller;

/// The kind of these jobs.
pub(crate) const KIND: &str = "ingest";

/// What can be asked of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// No further file comes; load what is there.
    Close,
    /// Never mind.
    Abort,
}

/// What came of a wish. Repeats are harmless, because clients resend by themselves: what is so already is granted.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) job: IngestJob,
    pub(crate) granted: bool,
    /// What the cancel did, when it was an abort.
    pub(crate) cancel: Option<Outcome>,
}

/// What came of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It goes on, or it counts, under this number.
    Yes(i64),
    /// The job takes no uploads any more: it is in this state.
    NotOpen(JobState),
    /// The job has as many files as it can have.
    Full,
    /// It was silent for too long and was given up.
    Forgotten,
}

/// Makes an ingest job that takes uploads. `payload` is the text of a JSON object.
///
/// # Errors
/// Those of [`ops::enqueue`].
pub(crate) fn create(db: &Db, caller: &Caller, payload: String) -> Result<IngestJob> {
    let actor = caller.actor();
    let job = NewJob {
        payload,
        ..NewJob::new(KIND)
    };
    db.tx(|conn| {
        let made = ops::enqueue(conn, caller.tenant, &job, None, true, &actor)?;
        ingest::get(conn, caller.tenant, &JobRef::number(made.id))
    })
}

/// A job of the caller's tenant.
///
/// # Errors
/// [`belay_core::Error::Missing`], also when its data was deleted; those of the database.
pub(crate) fn get(db: &Db, caller: &Caller, job: &JobRef) -> Result<IngestJob> {
    db.read(|conn| ingest::get(conn, caller.tenant, job))
}

/// Some of the ingest jobs of the caller's tenant.
///
/// # Errors
/// Those of [`ingest::page`].
pub(crate) fn page(
    db: &Db,
    caller: &Caller,
    states: &[JobState],
    order: Order,
    offset: i64,
    limit: i64,
) -> Result<Vec<IngestJob>> {
    db.read(|conn| ingest::page(conn, caller.tenant, states, order, offset, limit))
}

/// Closes or aborts a job.
///
/// # Errors
/// As [`get`]. A wish that is not granted is an answer.
pub(crate) fn change(db: &Db, caller: &Caller, job: &JobRef, wish: Wish) -> Result<Changed> {
    let (tenant, actor) = (Some(caller.tenant), caller.actor());
    db.tx(|conn| {
        let id = query::resolve(conn, tenant, job)?;
        let was = ops::hold(conn, tenant, id)?;
        let (granted, cancel) = match wish {
            Wish::Close if was == JobState::Open => {
                ops::close(conn, tenant, id, &actor)?;
                (true, None)
            }
            Wish::Close => (
                !matches!(was, JobState::Cancelling | JobState::Cancelled),
                None,
            ),
            Wish::Abort => {
                ops::allow_minutes(conn)?;
                let answer = ops::cancel_one(conn, tenant, id, &actor, None, CancelLimit::Any)?;
                (answer.outcome != Outcome::Refused, Some(answer.outcome))
            }
        };
        // What was deleted is missing, which takes back whatever was done above: nothing.
        let job = ingest::get(conn, caller.tenant, job)?;
        Ok(Changed {
            job,
            granted,
            cancel,
        })
    })
}

/// Deletes the data of a job, which must not be open or running; one that waits is cancelled first. Answers the state it was in,
/// and whether it is gone.
///
/// # Errors
/// As [`get`]. A job that cannot be deleted is an answer.
pub(crate) fn delete(db: &Db, caller: &Caller, job: &JobRef) -> Result<(JobState, bool)> {
    let (tenant, actor) = (Some(caller.tenant), caller.actor());
    db.tx(|conn| {
        let id = query::resolve(conn, tenant, job)?;
        let was = ops::hold(conn, tenant, id)?;
        let found = ingest::get(conn, caller.tenant, job)?;
        ops::allow_minutes(conn)?;
        match was {
            JobState::Open | JobState::Running | JobState::Suspended => return Ok((was, false)),
            JobState::Scheduled | JobState::Queued => {
                ops::cancel_one(conn, tenant, id, &actor, None, CancelLimit::Any)?;
            }
            // A load is one transaction, which cannot commit any more: there is nothing to wait for.
            JobState::Cancelling if found.job.kind == KIND => {
                ops::force_cancel(conn, tenant, id, &actor, None)?;
            }
            JobState::Cancelling => return Ok((was, false)),
            JobState::Completed | JobState::Failed | JobState::Cancelled => {}
        }
        ops::delete_data(conn, tenant, id, &actor, None)?;
        Ok((was, true))
    })
}

/// Begins an upload and answers its number.
///
/// # Errors
/// As [`get`]. A job that takes no upload is an answer.
pub(crate) fn begin_upload(db: &Db, caller: &Caller, job: i64) -> Result<Kept> {
    db.tx(|conn| {
        Ok(match ops::begin_upload(conn, Some(caller.tenant), job)? {
            Begun::Upload(file) => Kept::Yes(file),
            Begun::NotOpen(state) => Kept::NotOpen(state),
            Begun::Full => Kept::Full,
        })
    })
}

/// Keeps a chunk of an upload of a job.
///
/// # Errors
/// As [`get`]. An upload that is not wanted any more is an answer.
pub(crate) fn append(
    db: &Db,
    caller: &Caller,
    job: i64,
    file: i64,
    chunk: i32,
    content: &[u8],
) -> Result<Kept> {
    if db.read(|conn| ops::append_chunk(conn, file, chunk, content))? {
        return Ok(Kept::Yes(file));
    }
    match get(db, caller, &JobRef::number(job))?.job.state {
        JobState::Open => Ok(Kept::Forgotten),
        state => Ok(Kept::NotOpen(state)),
    }
}

/// Counts an upload of so many bytes, if its job still takes it, and answers its place among the files of the job. What does not
/// count is deleted.
///
/// # Errors
/// Those of the database, and [`belay_core::Error::Missing`].
pub(crate) fn finish_upload(
    db: &Db,
    caller: &Caller,
    job: i64,
    file: i64,
    bytes: i64,
) -> Result<Kept> {
    db.tx(|conn| {
        let tenant = Some(caller.tenant);
        Ok(match ops::finish_upload(conn, tenant, job, file, bytes)? {
            Uploaded::File(ordinal) => Kept::Yes(ordinal.into()),
            Uploaded::NotOpen(state) => Kept::NotOpen(state),
            Uploaded::Full => Kept::Full,
            Uploaded::Forgotten => Kept::Forgotten,
        })
    })
}

/// Deletes what has come of an upload.
///
/// # Errors
/// Those of the database.
pub(crate) fn discard_upload(db: &Db, file: i64) -> Result<()> {
    db.tx(|conn| ops::discard_upload(conn, file))
}
