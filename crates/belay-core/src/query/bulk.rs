//! Bulk actions: what is kept of them, and how many jobs a filter is about.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};

use crate::error::Result;
use crate::model::{BulkView, Job};
use crate::ops::{BulkFilter, BulkKind, BulkWalk};
use crate::state::{JobState, sql};

/// Jobs with what is kept of them as bulk actions, in the order given. A job that repeats another one by hand and has not
/// begun has the other's terms.
///
/// # Errors
/// Those of the database.
pub fn bulk_actions(conn: &mut PgConnection, jobs: Vec<Job>) -> Result<Vec<(Job, BulkView)>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<BulkView> = diesel::sql_query(
        "-- bulk_actions
         select x.job, coalesce(b.action_duration, r.action_duration, 0) as action_duration, coalesce(b.action_reason, r.action_reason) as action_reason,
           coalesce(b.max_limit, r.max_limit, 0) as max_limit, coalesce(b.preview_count, 0) as preview_count,
           coalesce(b.affected_count, 0) as affected_count, case when b.total is null then p.done else b.done_count end as done,
           coalesce(b.total, p.total) as total,
           greatest(b.updated_at, p.updated_at, (select max(e.at) from belay.job_event e where e.job = x.job)) as changed_at
         from unnest($1, $2) x (job, retry_of)
         left join belay.bulk_action b on b.job = x.job
         left join belay.bulk_action r on r.job = x.retry_of and b.job is null
         left join belay.job_progress p on p.job = x.job",
    )
    .bind::<Array<BigInt>, _>(jobs.iter().map(|job| job.id).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(jobs.iter().map(|job| job.retry_of).collect::<Vec<_>>())
    .load(conn)?;
    let mut rows: HashMap<i64, BulkView> = rows.into_iter().map(|row| (row.job, row)).collect();
    Ok(jobs
        .into_iter()
        .filter_map(|job| {
            let row = rows.remove(&job.id)?;
            Some((job, row))
        })
        .collect())
}

/// As [`count_bulk`] before there is a walk, for somebody who waits for the answer. To be run in a transaction, whose statements may
/// then take 30 seconds.
///
/// # Errors
/// [`crate::Error::Busy`] when it takes longer.
pub fn preview_bulk(
    conn: &mut PgConnection,
    tenant: i32,
    filter: &BulkFilter,
    cap: i64,
) -> Result<i64> {
    conn.batch_execute("set local statement_timeout = '30s'")?;
    count_bulk(conn, tenant, filter, None, cap)
}

/// Counts the jobs of a tenant that match now, up to `cap`. With a walk only those that are before it, and not the bulk job
/// itself.
///
/// # Errors
/// Those of the database.
pub fn count_bulk(
    conn: &mut PgConnection,
    tenant: i32,
    filter: &BulkFilter,
    walk: Option<(&BulkWalk, i64)>,
    cap: i64,
) -> Result<i64> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    let mut text = String::from("-- count_bulk\n select count(*) as n from (select from belay.");
    match filter.bulk {
        BulkKind::Cancel => text.push_str("job j where ($7 is null or true)"),
        BulkKind::Retry => text.push_str(
            "job_done j where j.data_deleted_at is null and ($7 is null or j.finished_at <= $7)
               and j.kind not in ('cancel_jobs', 'retry_jobs')",
        ),
    }
    text.push_str(
        " and j.tenant = $1 and j.state = any ($2) and ($3 is null or j.queue = $3) and ($4 is null or j.kind = $4)
          and ($5 is null or j.created_at >= $5) and ($6 is null or j.created_at < $6)
          and j.id > $8 and j.id <= $9 and j.id <> $10",
    );
    if !filter.states.contains(&JobState::Completed) {
        // Lets the planner find the partial index.
        text.push_str(" and j.state <> 'completed'");
    }
    text.push_str(" limit $11) c");
    let begun_at: Option<DateTime<Utc>> = walk.map(|(walk, _)| walk.begun_at);
    let row: Row = diesel::sql_query(text)
        .into_boxed::<Pg>()
        .bind::<Integer, _>(tenant)
        .bind::<Array<sql::JobState>, _>(filter.states.clone())
        .bind::<Nullable<Text>, _>(filter.queue.clone())
        .bind::<Nullable<Text>, _>(filter.kind.clone())
        .bind::<Nullable<Timestamptz>, _>(filter.created_from)
        .bind::<Nullable<Timestamptz>, _>(filter.created_before)
        .bind::<Nullable<Timestamptz>, _>(begun_at)
        .bind::<BigInt, _>(walk.map_or(0, |(walk, _)| walk.walk_id))
        .bind::<BigInt, _>(walk.map_or(i64::MAX, |(walk, _)| walk.last_id))
        .bind::<BigInt, _>(walk.map_or(0, |(_, own)| own))
        .bind::<BigInt, _>(cap)
        .get_result(conn)?;
    Ok(row.n)
}
