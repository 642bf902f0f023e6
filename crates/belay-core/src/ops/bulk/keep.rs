//! What is kept of a bulk action beside its payload. Written once, with the job. Locks no job.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::super::check_reason;
use crate::error::{Error, Result};
use crate::stmt::stmt;

/// What is asked for beside the payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkTerms {
    /// Of the caller's own meaning, from 0.
    pub duration: i64,
    /// Goes on record with every job that is acted on.
    pub reason: Option<String>,
    /// Most jobs that are acted on; 0 for no limit.
    pub max_limit: i64,
}

/// Keeps the terms of a job that this transaction has made, and how many jobs matched before.
///
/// # Errors
/// [`Error::Invalid`] for a term that is out of range.
pub fn keep_bulk_action(
    conn: &mut PgConnection,
    job: i64,
    terms: &BulkTerms,
    preview: i64,
) -> Result<()> {
    check_reason(terms.reason.as_deref())?;
    for (field, value) in [
        ("action_duration", terms.duration),
        ("max_limit", terms.max_limit),
    ] {
        if value < 0 {
            return Err(Error::invalid(
                field,
                format!("{field} is {value}, it must be 0 or more"),
            ));
        }
    }
    stmt::<()>(
        "-- keep_bulk_action
         insert into belay.bulk_action (job, action_duration, action_reason, max_limit, preview_count) values ($1, $2, $3, $4, $5)",
    )
    .bind::<BigInt, _>(job)
    .bind::<BigInt, _>(terms.duration)
    .bind::<Nullable<Text>, _>(&terms.reason)
    .bind::<BigInt, _>(terms.max_limit)
    .bind::<BigInt, _>(preview)
    .execute(conn)?;
    Ok(())
}
