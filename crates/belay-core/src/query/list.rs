//! Lists of jobs, newest first, page by page. A page begins below the last id of the page before, so a walk meets every job
//! that existed throughout exactly once, also while jobs finish in between.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};

use crate::error::{Error, Result};
use crate::model::Job;
use crate::state::{JobState, sql};

/// Largest page.
pub const MAX_PAGE: i64 = 500;

/// Which jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Of this tenant; `None` for all.
    pub tenant: Option<i32>,
    /// In one of these states; empty for all.
    pub states: Vec<JobState>,
    /// Of this queue.
    pub queue: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// With smaller ids than this.
    pub before: Option<i64>,
}

/// Up to `limit` jobs (1 to [`MAX_PAGE`]), newest first.
///
/// # Errors
/// [`Error::Invalid`] for the limit.
pub fn list(conn: &mut PgConnection, filter: &JobFilter, limit: i64) -> Result<Vec<Job>> {
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Error::invalid(
            "limit",
            format!("limit is {limit}, it must be from 1 to {MAX_PAGE}"),
        ));
    }
    let wants = |terminal: bool| {
        filter.states.is_empty() || filter.states.iter().any(|s| s.is_terminal() == terminal)
    };
    let mut parts = Vec::new();
    for (terminal, columns, table) in [(false, Job::LIVE, "job"), (true, Job::DONE, "job_done")] {
        if !wants(terminal) {
            continue;
        }
        let mut sql = format!(
            "(select {columns} from belay.{table} j where ($1 is null or j.tenant = $1) and j.id < $2"
        );
        // Written only where it is asked for, so that the planner sees a plain comparison and finds the partial index.
        if filter.states.is_empty() {
            sql.push_str(" and ($3 is null or true)");
        } else {
            sql.push_str(" and j.state = any ($3)");
            if terminal && !filter.states.contains(&JobState::Completed) {
                sql.push_str(" and j.state <> 'completed'");
            }
        }
        sql.push_str(" and ($4 is null or j.queue = $4) and ($5 is null or j.kind = $5) order by j.id desc limit $6)");
        parts.push(sql);
    }
    let text = format!(
        "-- list_jobs\n select * from ({}) u order by id desc limit $6",
        parts.join(" union all ")
    );
    Ok(diesel::sql_query(text)
        .bind::<Nullable<Integer>, _>(filter.tenant)
        .bind::<BigInt, _>(filter.before.unwrap_or(i64::MAX))
        .bind::<Array<sql::JobState>, _>(&filter.states)
        .bind::<Nullable<Text>, _>(&filter.queue)
        .bind::<Nullable<Text>, _>(&filter.kind)
        .bind::<BigInt, _>(limit)
        .load(conn)?)
}
