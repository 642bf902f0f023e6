//! What is on many jobs at once: the marks of their cancels, and which of them are gone.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};

use crate::error::{Error, Result};
use crate::id::JobRef;
use crate::model::{CancelMark, Job};
use crate::stmt::stmt;

/// The accepted cancels of those of the jobs of a tenant (`None`: of any) that have one, by the job's number.
///
/// # Errors
/// Those of the database.
pub fn cancel_marks(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    jobs: &[i64],
) -> Result<HashMap<i64, CancelMark>> {
    if jobs.is_empty() {
        return Ok(HashMap::new());
    }
    type Types = (
        BigInt,
        Timestamptz,
        Text,
        Nullable<Text>,
        Text,
        Nullable<Text>,
    );
    type Row = (
        i64,
        DateTime<Utc>,
        String,
        Option<String>,
        String,
        Option<String>,
    );
    // One statement, one snapshot: a job that is just being moved is found exactly once.
    let rows = stmt::<Types>(
        "-- cancel_marks
         select id, cancel_at, cancel_actor, cancel_reason, cancel_via, null::text from belay.job
         where id = any ($1) and ($2 is null or tenant = $2) and cancel_at is not null
         union all
         select id, cancel_at, cancel_actor, cancel_reason, cancel_via, cancel_rung::text from belay.job_done
         where id = any ($1) and ($2 is null or tenant = $2) and cancel_at is not null",
    )
    .bind::<Array<BigInt>, _>(jobs)
    .bind::<Nullable<Integer>, _>(tenant)
    .load::<Row>(conn)?;
    Ok(rows
        .into_iter()
        .map(|(id, at, actor, reason, interface, rung)| {
            let mark = CancelMark {
                at,
                actor,
                reason,
                interface,
                rung,
            };
            (id, mark)
        })
        .collect())
}

/// Whether a finished job `j` is gone; see [`gone`].
macro_rules! gone {
    () => {
        "(j.data_deleted_at is not null and (j.kind = 'ingest' or exists (
          select from belay.job_event e where e.job = j.id and e.event = 'data_deleted' and e.via = 'ingest')))"
    };
}
pub(super) const GONE: &str = gone!();

/// Those of the jobs that are gone from every compatibility interface: what was deleted through `ingest`, which deletes whole
/// jobs, and ingest jobs whose data was deleted in whatever way. Only their history stays.
///
/// # Errors
/// Those of the database.
pub fn gone(conn: &mut PgConnection, jobs: &[i64]) -> Result<HashSet<i64>> {
    if jobs.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = stmt::<BigInt>(concat!(
        "-- gone
         select j.id from belay.job_done j where j.id = any ($1) and ",
        gone!()
    ))
    .bind::<Array<BigInt>, _>(jobs)
    .load::<i64>(conn)?;
    Ok(rows.into_iter().collect())
}

/// Whether a job is gone from every compatibility interface; see [`gone`].
///
/// # Errors
/// Those of the database.
pub fn is_gone(conn: &mut PgConnection, job: &Job) -> Result<bool> {
    // Most jobs still have their data, and need no further look.
    Ok(job.data_deleted && !gone(conn, &[job.id])?.is_empty())
}

/// As [`super::get`]; with `not_gone` a job that is gone is missing.
///
/// # Errors
/// Those of [`super::get`].
pub fn find(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    job: &JobRef,
    not_gone: bool,
) -> Result<Job> {
    let found = super::get(conn, tenant, job)?;
    if not_gone && is_gone(conn, &found)? {
        return Err(Error::missing(format!("job {job}")));
    }
    Ok(found)
}
