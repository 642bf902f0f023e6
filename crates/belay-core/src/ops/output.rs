//! Output and progress of running jobs. Written only while the worker holds the job under that fence, so nothing can be
//! appended to a job that has ended. Shares the lock of each job, in ascending id order, and looks at it under that lock: while a
//! job cannot end, what is written belongs to it, and whoever ends it and deletes its data comes later.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text};

use super::text::storable;
use crate::error::Result;
use crate::stmt::stmt;

/// What an attempt has written so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputRow {
    /// The job.
    pub job: i64,
    /// The fence it is held under.
    pub fence: i32,
    /// The attempt.
    pub attempt: i16,
    /// Last part of standard output. NUL characters are replaced.
    pub stdout: String,
    /// Last part of standard error. NUL characters are replaced.
    pub stderr: String,
    /// Bytes of standard output in all.
    pub stdout_bytes: i64,
    /// Bytes of standard error in all.
    pub stderr_bytes: i64,
    /// Exit code, once known.
    pub exit_code: Option<i32>,
    /// Signal that ended it, once known.
    pub signal: Option<i32>,
    /// How long it ran in milliseconds, once known.
    pub ran_ms: Option<i64>,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressRow {
    /// The job.
    pub job: i64,
    /// The fence it is held under.
    pub fence: i32,
    /// The attempt.
    pub attempt: i16,
    /// Steps done, from 0.
    pub done: i64,
    /// Steps in all.
    pub total: Option<i64>,
    /// A word to the reader.
    pub message: Option<String>,
}

/// The rows as they are locked. Of one job they keep their order: the last one counts.
fn in_order<T>(rows: &[T], job: impl Fn(&T) -> i64) -> Vec<&T> {
    let mut rows: Vec<&T> = rows.iter().collect();
    rows.sort_by_key(|row| job(row));
    rows
}

/// Replaces the output of these attempts.
///
/// # Errors
/// Those of the database.
pub fn save_output(conn: &mut PgConnection, worker: i64, rows: &[OutputRow]) -> Result<()> {
    let rows = in_order(rows, |row| row.job);
    if rows.is_empty() {
        return Ok(());
    }
    stmt::<()>(
        "-- save_output
         insert into belay.job_output as o (job, attempt, stdout, stderr, stdout_bytes, stderr_bytes, exit_code, signal, ran_ms)
         select distinct on (x.job, x.attempt) x.job, x.attempt, x.stdout, x.stderr, x.stdout_bytes, x.stderr_bytes, x.exit_code, x.signal, x.ran_ms
         from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11) with ordinality x (job, fence, attempt, stdout, stderr, stdout_bytes, stderr_bytes, exit_code, signal, ran_ms, ord)
         where exists (select from belay.job j where j.id = x.job and j.fence = x.fence and j.worker = $1 for key share)
         order by x.job, x.attempt, x.ord desc
         on conflict (job, attempt) do update set stdout = excluded.stdout, stderr = excluded.stderr, stdout_bytes = excluded.stdout_bytes,
           stderr_bytes = excluded.stderr_bytes, exit_code = excluded.exit_code, signal = excluded.signal, ran_ms = excluded.ran_ms, updated_at = now()",
    )
    .bind::<BigInt, _>(worker)
    .bind::<Array<BigInt>, _>(rows.iter().map(|r| r.job).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(rows.iter().map(|r| r.fence).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(rows.iter().map(|r| r.attempt).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|r| storable(&r.stdout, usize::MAX)).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|r| storable(&r.stderr, usize::MAX)).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|r| r.stdout_bytes).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|r| r.stderr_bytes).collect::<Vec<_>>())
    .bind::<Array<Nullable<Integer>>, _>(rows.iter().map(|r| r.exit_code).collect::<Vec<_>>())
    .bind::<Array<Nullable<Integer>>, _>(rows.iter().map(|r| r.signal).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(rows.iter().map(|r| r.ran_ms).collect::<Vec<_>>())
    .execute(conn)?;
    Ok(())
}

/// Replaces the progress of these jobs.
///
/// # Errors
/// Those of the database.
pub fn save_progress(conn: &mut PgConnection, worker: i64, rows: &[ProgressRow]) -> Result<()> {
    let rows = in_order(rows, |row| row.job);
    if rows.is_empty() {
        return Ok(());
    }
    stmt::<()>(
        "-- save_progress
         insert into belay.job_progress as p (job, attempt, done, total, message)
         select distinct on (x.job) x.job, x.attempt, greatest(x.done, 0), case when x.total < 0 then 0 else x.total end, left(x.message, 200)
         from unnest($2, $3, $4, $5, $6, $7) with ordinality x (job, fence, attempt, done, total, message, ord)
         where exists (select from belay.job j where j.id = x.job and j.fence = x.fence and j.worker = $1 for key share)
         order by x.job, x.ord desc
         on conflict (job) do update set attempt = excluded.attempt, done = excluded.done, total = excluded.total, message = excluded.message,
           updated_at = now()",
    )
    .bind::<BigInt, _>(worker)
    .bind::<Array<BigInt>, _>(rows.iter().map(|r| r.job).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(rows.iter().map(|r| r.fence).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(rows.iter().map(|r| r.attempt).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|r| r.done).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(rows.iter().map(|r| r.total).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|r| r.message.as_deref().map(|m| storable(m, 200))).collect::<Vec<_>>())
    .execute(conn)?;
    Ok(())
}
