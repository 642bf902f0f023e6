//! One job by any of its spellings.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Timestamptz};

use crate::error::{Error, Result};
use crate::id::JobRef;
use crate::model::Job;
use crate::stmt::stmt;

/// Reads a job of a tenant (`None`: of any).
///
/// # Errors
/// [`Error::Missing`] when there is no such job in that tenant, or the spelling belongs to another time.
pub fn get(conn: &mut PgConnection, tenant: Option<i32>, job: &JobRef) -> Result<Job> {
    // One statement, one snapshot: a job that is just being moved is found exactly once.
    let text = format!(
        "-- get_job
         select {live} from belay.job j where j.id = $1 and ($2 is null or j.tenant = $2)
         union all select {done} from belay.job_done j where j.id = $1 and ($2 is null or j.tenant = $2)",
        live = Job::LIVE,
        done = Job::DONE,
    );
    let found = diesel::sql_query(text)
        .bind::<BigInt, _>(job.id)
        .bind::<Nullable<Integer>, _>(tenant)
        .get_result::<Job>(conn)
        .optional()?;
    found
        .filter(|found| job.matches(found.created_at))
        .ok_or_else(|| Error::missing(format!("job {job}")))
}

/// Turns a spelling into the number, without reading more of the job than it must. A bare number is answered as it is.
///
/// # Errors
/// [`Error::Missing`] when the spelling's time does not match the job, or the job is not in the tenant.
pub fn resolve(conn: &mut PgConnection, tenant: Option<i32>, job: &JobRef) -> Result<i64> {
    if job.is_number() {
        return Ok(job.id);
    }
    let created_at = stmt::<Timestamptz>(
        "-- resolve_job
         select created_at from belay.job where id = $1 and ($2 is null or tenant = $2)
         union all select created_at from belay.job_done where id = $1 and ($2 is null or tenant = $2)",
    )
    .bind::<BigInt, _>(job.id)
    .bind::<Nullable<Integer>, _>(tenant)
    .get_result::<DateTime<Utc>>(conn)
    .optional()?;
    match created_at {
        Some(at) if job.matches(at) => Ok(job.id),
        _ => Err(Error::missing(format!("job {job}"))),
    }
}
