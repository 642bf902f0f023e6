//! What an interface keeps of a job beside its payload. Written once, with the job. Locks no job.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::error::Result;
use crate::stmt::stmt;

/// Keeps the attributes of a job that this transaction has made: the text of a JSON object.
///
/// # Errors
/// Those of the database.
pub fn keep_attributes(conn: &mut PgConnection, job: i64, attributes: &str) -> Result<()> {
    stmt::<()>("-- keep_attributes\n insert into belay.job_attributes (job, data) values ($1, $2::text::jsonb)")
        .bind::<BigInt, _>(job)
        .bind::<Text, _>(attributes)
        .execute(conn)?;
    Ok(())
}
