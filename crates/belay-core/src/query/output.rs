//! Output and progress.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt};

use crate::error::Result;
use crate::model::{OutputView, ProgressView};

/// Output of every attempt that wrote any, oldest first.
///
/// # Errors
/// Those of the database.
pub fn outputs(conn: &mut PgConnection, job: i64) -> Result<Vec<OutputView>> {
    Ok(diesel::sql_query(
        "-- outputs
         select attempt, stdout, stderr, stdout_bytes, stderr_bytes, exit_code, signal, ran_ms, updated_at from belay.job_output
         where job = $1 and (stdout_bytes > 0 or stderr_bytes > 0 or exit_code is not null or signal is not null) order by attempt",
    )
    .bind::<BigInt, _>(job)
    .load(conn)?)
}

/// Latest progress of a job, if it ever reported any.
///
/// # Errors
/// Those of the database.
pub fn progress(conn: &mut PgConnection, job: i64) -> Result<Option<ProgressView>> {
    Ok(diesel::sql_query("-- progress\n select attempt, done, total, message, updated_at from belay.job_progress where job = $1")
        .bind::<BigInt, _>(job)
        .get_result(conn)
        .optional()?)
}

/// Latest progress of those of the jobs that ever reported any, by the job's number.
///
/// # Errors
/// Those of the database.
pub fn progress_of(conn: &mut PgConnection, jobs: &[i64]) -> Result<HashMap<i64, ProgressView>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        job: i64,
        #[diesel(embed)]
        progress: ProgressView,
    }
    if jobs.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<Row> = diesel::sql_query(
        "-- progress_of\n select job, attempt, done, total, message, updated_at from belay.job_progress where job = any ($1)",
    )
    .bind::<Array<BigInt>, _>(jobs)
    .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|row| (row.job, row.progress))
        .collect())
}
