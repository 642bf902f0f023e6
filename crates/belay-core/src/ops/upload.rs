//! Uploads: the bytes of a file arrive without a lock on its job, and count only when a last step, under that lock, still finds
//! the job open.
//!
//! [`begin_upload`] and [`finish_upload`] lock the job and act under the lock; both are short. [`append_chunk`] locks only the row
//! of the upload itself, so a slow client holds up nobody. A cancel and a close delete that row first and the chunks after it:
//! they wait for a chunk that is just being written, and none can follow.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Double, Integer, Nullable, SmallInt};

use super::lock::{finished_state, lock_one};
use crate::error::{Error, Result};
use crate::state::JobState;
use crate::stmt::stmt;

/// Most files of one job.
pub const MAX_FILES: i16 = 100;

/// What became of the beginning of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Chunks may come under this number.
    Upload(i64),
    /// The job takes no uploads: it is in this state.
    NotOpen(JobState),
    /// The job has [`MAX_FILES`] files.
    Full,
}

/// What became of an upload whose bytes are all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploaded {
    /// It counts, as the file with this number of the job, from 1.
    File(i16),
    /// The job takes no uploads any more: it is in this state. The chunks are deleted.
    NotOpen(JobState),
    /// The job has [`MAX_FILES`] files already. The chunks are deleted.
    Full,
    /// The upload was given up meanwhile, because it had been silent for too long.
    Forgotten,
}

/// Begins an upload. The job's row is touched, so that a cancel by a transaction with an older snapshot does not overlook what
/// came after it.
///
/// # Errors
/// [`Error::Missing`].
pub fn begin_upload(conn: &mut PgConnection, tenant: Option<i32>, job: i64) -> Result<Begun> {
    if let Some(state) = closed_state(conn, tenant, job)? {
        return Ok(Begun::NotOpen(state));
    }
    if last_file(conn, job)? >= MAX_FILES {
        return Ok(Begun::Full);
    }
    stmt::<()>(
        "-- touch_open\n update belay.job set upload = true where id = $1 and state = 'open'",
    )
    .bind::<BigInt, _>(job)
    .execute(conn)?;
    let file = stmt::<BigInt>(
        "-- begin_upload\n insert into belay.upload (job) values ($1) returning file",
    )
    .bind::<BigInt, _>(job)
    .get_result(conn)?;
    Ok(Begun::Upload(file))
}

/// Keeps the next chunk of an upload, counted from 1. Answers `false` when the upload is not wanted any more: its job was closed
/// or cancelled. One statement, so it needs no transaction around it.
///
/// # Errors
/// Those of the database.
pub fn append_chunk(
    conn: &mut PgConnection,
    file: i64,
    chunk: i32,
    content: &[u8],
) -> Result<bool> {
    let kept = stmt::<()>(
        "-- append_chunk
         with u as (update belay.upload set touched_at = now() where file = $1 returning job)
         insert into belay.job_upload (job, file, chunk, content) select u.job, $1, $2, $3 from u",
    )
    .bind::<BigInt, _>(file)
    .bind::<Integer, _>(chunk)
    .bind::<Binary, _>(content)
    .execute(conn)?;
    Ok(kept == 1)
}

/// Makes an upload of so many bytes a file of its job, or deletes it.
///
/// # Errors
/// [`Error::Missing`]; nothing is deleted then.
pub fn finish_upload(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    job: i64,
    file: i64,
    bytes: i64,
) -> Result<Uploaded> {
    if let Some(state) = closed_state(conn, tenant, job)? {
        discard_upload(conn, file)?;
        return Ok(Uploaded::NotOpen(state));
    }
    let last = last_file(conn, job)?;
    if last >= MAX_FILES {
        discard_upload(conn, file)?;
        return Ok(Uploaded::Full);
    }
    let there =
        stmt::<()>("-- finish_upload\n delete from belay.upload where file = $1 and job = $2")
            .bind::<BigInt, _>(file)
            .bind::<BigInt, _>(job)
            .execute(conn)?;
    if there == 0 {
        return Ok(Uploaded::Forgotten);
    }
    let ordinal = last.saturating_add(1);
    stmt::<()>("-- count_file\n insert into belay.job_file (job, ordinal, file, bytes) values ($1, $2, $3, $4)")
        .bind::<BigInt, _>(job)
        .bind::<SmallInt, _>(ordinal)
        .bind::<BigInt, _>(file)
        .bind::<BigInt, _>(bytes)
        .execute(conn)?;
    Ok(Uploaded::File(ordinal))
}

/// Deletes an upload that does not count yet. Locks no job. A file that counts is left alone.
///
/// # Errors
/// Those of the database.
pub fn discard_upload(conn: &mut PgConnection, file: i64) -> Result<()> {
    let job = stmt::<BigInt>(
        "-- discard_upload\n delete from belay.upload where file = $1 returning job",
    )
    .bind::<BigInt, _>(file)
    .get_result::<i64>(conn)
    .optional()?;
    match job {
        Some(job) => delete_chunks(conn, job, &[file]),
        None => Ok(()),
    }
}

/// Deletes uploads that have been silent for so long, up to `limit` of them, and answers how many. Call again at once when it
/// answers `limit`. Locks no job and waits for nobody.
///
/// # Errors
/// Those of the database.
pub fn forget_uploads(conn: &mut PgConnection, silent_for: Duration, limit: i64) -> Result<usize> {
    let gone = stmt::<(BigInt, BigInt)>(
        "-- forget_uploads
         delete from belay.upload where ctid = any (array(
           select ctid from belay.upload where touched_at < now() - $1 * interval '1 s' order by file limit $2 for update skip locked))
         returning job, file",
    )
    .bind::<Double, _>(silent_for.as_secs_f64())
    .bind::<BigInt, _>(limit)
    .load::<(i64, i64)>(conn)?;
    for (job, file) in &gone {
        delete_chunks(conn, *job, &[*file])?;
    }
    Ok(gone.len())
}

/// Deletes everything that was uploaded for jobs that this transaction has locked, or that have ended.
///
/// # Errors
/// Those of the database.
pub fn delete_uploads(conn: &mut PgConnection, jobs: &[i64]) -> Result<()> {
    stmt::<()>("-- delete_uploads\n select belay.delete_uploads($1)::text")
        .bind::<Array<BigInt>, _>(jobs)
        .execute(conn)?;
    Ok(())
}

/// Lets the statements of this transaction take minutes. A job may have 15 GB of uploads, and deleting them takes longer than the
/// statements of a request may otherwise.
///
/// # Errors
/// Those of the database.
pub fn allow_minutes(conn: &mut PgConnection) -> Result<()> {
    diesel::sql_query("set local statement_timeout = '300000'").execute(conn)?;
    Ok(())
}

/// Deletes the uploads under way of a job that this transaction has locked and closes.
pub(super) fn cut_off_uploads(conn: &mut PgConnection, job: i64) -> Result<()> {
    let files = stmt::<BigInt>(
        "-- cut_off_uploads\n delete from belay.upload where job = $1 returning file",
    )
    .bind::<BigInt, _>(job)
    .load::<i64>(conn)?;
    if files.is_empty() {
        return Ok(());
    }
    delete_chunks(conn, job, &files)
}

fn delete_chunks(conn: &mut PgConnection, job: i64, files: &[i64]) -> Result<()> {
    stmt::<()>(
        "-- delete_chunks\n delete from belay.job_upload where job = $1 and file = any ($2)",
    )
    .bind::<BigInt, _>(job)
    .bind::<Array<BigInt>, _>(files)
    .execute(conn)?;
    Ok(())
}

/// Locks a job and answers its state when it is not open.
fn closed_state(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    job: i64,
) -> Result<Option<JobState>> {
    let state = match lock_one(conn, tenant, job)? {
        Some(locked) => Some(locked.state),
        None => finished_state(conn, tenant, job)?,
    };
    match state {
        Some(JobState::Open) => Ok(None),
        Some(state) => Ok(Some(state)),
        None => Err(Error::missing(format!("job {job}"))),
    }
}

fn last_file(conn: &mut PgConnection, job: i64) -> Result<i16> {
    let last = stmt::<Nullable<SmallInt>>(
        "-- last_file\n select max(ordinal) from belay.job_file where job = $1",
    )
    .bind::<BigInt, _>(job)
    .get_result::<Option<i16>>(conn)?;
    Ok(last.unwrap_or(0))
}
