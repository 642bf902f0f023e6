//! Statements of the executor `sql`, whose effect and completion may be one transaction: the function `belay.sql_settle` of the
//! database locks the job of such a statement and ends it. Here is what the daemon asks on its own connections. [`sql_outcome`] locks
//! the one job, because a transaction of which nobody knows whether it commits still holds that lock, and ends nothing.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Integer};

use crate::error::Result;
use crate::state::{JobState, sql};
use crate::stmt::stmt;

/// What there is of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptStanding {
    /// The worker holds the job under that fence, and the job is in this state.
    Holds(JobState),
    /// The job ended under that fence, in this state.
    Ended(JobState),
    /// The job was taken away.
    Lost,
}

/// The token with which `belay.sql_settle` knows the daemon. Whoever runs statements for a job must not see it before they are over.
///
/// # Errors
/// Those of the database.
pub fn sql_token(conn: &mut PgConnection, worker: i64, job: i64, fence: i32) -> Result<Vec<u8>> {
    Ok(
        stmt::<Binary>("-- sql_token\n select belay.sql_token($1, $2, $3)")
            .bind::<BigInt, _>(job)
            .bind::<Integer, _>(fence)
            .bind::<BigInt, _>(worker)
            .get_result(conn)?,
    )
}

/// Marks this database, in this transaction, with a number that nobody else knows. Another connection to the same database cannot
/// take the advisory lock of that number meanwhile, which proves that it is one. Answers `false` when the number is taken.
///
/// # Errors
/// Those of the database.
pub fn mark_database(conn: &mut PgConnection, number: i64) -> Result<bool> {
    Ok(
        stmt::<Bool>("-- mark_database\n select pg_try_advisory_xact_lock($1)")
            .bind::<BigInt, _>(number)
            .get_result(conn)?,
    )
}

/// How an attempt stands now. Locks nothing, so that it may be different right after.
///
/// # Errors
/// Those of the database.
pub fn sql_standing(
    conn: &mut PgConnection,
    worker: i64,
    job: i64,
    fence: i32,
) -> Result<AttemptStanding> {
    let held = stmt::<sql::JobState>(
        "-- sql_standing\n select state from belay.job where id = $1 and fence = $2 and worker = $3",
    )
    .bind::<BigInt, _>(job)
    .bind::<Integer, _>(fence)
    .bind::<BigInt, _>(worker)
    .get_result(conn)
    .optional()?;
    match held {
        Some(state) => Ok(AttemptStanding::Holds(state)),
        None => ended(conn, worker, job, fence),
    }
}

/// How an attempt stands when every transaction that was about to end it is over. Call it in a transaction.
///
/// # Errors
/// [`crate::Error::Busy`] when one of them is not over in time.
pub fn sql_outcome(
    conn: &mut PgConnection,
    worker: i64,
    job: i64,
    fence: i32,
) -> Result<AttemptStanding> {
    let held = stmt::<sql::JobState>(
        "-- sql_outcome\n select state from belay.job where id = $1 and fence = $2 and worker = $3 for update",
    )
    .bind::<BigInt, _>(job)
    .bind::<Integer, _>(fence)
    .bind::<BigInt, _>(worker)
    .get_result(conn)
    .optional()?;
    match held {
        Some(state) => Ok(AttemptStanding::Holds(state)),
        None => ended(conn, worker, job, fence),
    }
}

fn ended(conn: &mut PgConnection, worker: i64, job: i64, fence: i32) -> Result<AttemptStanding> {
    let state = stmt::<sql::JobState>(
        "-- sql_ended\n select state from belay.job_done where id = $1 and fence = $2 and worker = $3",
    )
    .bind::<BigInt, _>(job)
    .bind::<Integer, _>(fence)
    .bind::<BigInt, _>(worker)
    .get_result(conn)
    .optional()?;
    Ok(state.map_or(AttemptStanding::Lost, AttemptStanding::Ended))
}
