//! What interfaces keep of jobs beside their payload.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Jsonb};

use crate::error::Result;
use crate::stmt::stmt;

/// Attributes of those of the jobs that have any, by the job's number.
///
/// # Errors
/// Those of the database.
pub fn attributes(
    conn: &mut PgConnection,
    jobs: &[i64],
) -> Result<HashMap<i64, serde_json::Value>> {
    if jobs.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = stmt::<(BigInt, Jsonb)>(
        "-- attributes\n select job, data from belay.job_attributes where job = any ($1)",
    )
    .bind::<Array<BigInt>, _>(jobs)
    .load::<(i64, serde_json::Value)>(conn)?;
    Ok(rows.into_iter().collect())
}
