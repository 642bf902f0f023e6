//! Delete data: the content of a finished job goes, the fact that it existed stays. Locks the finished row; uploads, output and
//! progress go in the same transaction. Nothing can be appended afterwards, because appending needs an unfinished job.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt};

use super::lock::lock_one;
use super::outcome::{Record, record};
use super::upload::delete_uploads;
use super::{Actor, check_reason};
use crate::error::{Error, Result};
use crate::state::{JobState, sql};
use crate::stmt::stmt;

/// Deletes payload, last error, output, progress and uploads of a finished job. A second call changes nothing.
///
/// # Errors
/// [`Error::Missing`]; [`Error::Refused`] when the job has not finished: cancel it first.
pub fn delete_data(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
    actor: &Actor,
    reason: Option<&str>,
) -> Result<()> {
    check_reason(reason)?;
    if let Some(job) = lock_one(conn, tenant, id)? {
        return Err(Error::Refused {
            state: Some(job.state),
            message: format!(
                "the data of job {id} cannot be deleted: it is {}; cancel it first",
                job.state
            ),
        });
    }
    let row = stmt::<(Integer, SmallInt, sql::JobState, Bool)>(
        "-- delete_data_lock
         select tenant, attempt, state, data_deleted_at is not null from belay.job_done where id = $1 and ($2 is null or tenant = $2) for update",
    )
    .bind::<BigInt, _>(id)
    .bind::<Nullable<Integer>, _>(tenant)
    .get_result::<(i32, i16, JobState, bool)>(conn)
    .optional()?;
    let Some((tenant, attempt, state, deleted)) = row else {
        return Err(Error::missing(format!("job {id}")));
    };
    if deleted {
        return Ok(());
    }
    for sql in [
        "-- delete_payload\n update belay.job_done set payload = '{}', last_error = null, data_deleted_at = now() where id = $1",
        "-- delete_output\n delete from belay.job_output where job = $1",
        "-- delete_progress\n delete from belay.job_progress where job = $1",
        "-- delete_attributes\n delete from belay.job_attributes where job = $1",
        "-- delete_bulk_action\n delete from belay.bulk_action where job = $1",
    ] {
        stmt::<()>(sql).bind::<BigInt, _>(id).execute(conn)?;
    }
    delete_uploads(conn, &[id])?;
    record(
        conn,
        &[Record {
            job: id,
            worker: None,
            tenant,
            attempt,
            event: "data_deleted",
            was: Some(state),
            state: Some(state),
            actor: &actor.name,
            via: actor.via.as_str(),
            reason,
            detail: None,
        }],
    )
}
