//! Lists of jobs, newest first, page by page. A page begins below the last id of the page before, so a walk meets every job
//! that existed throughout exactly once, also while jobs finish in between.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};

use crate::error::{Error, Result};
use crate::model::Job;
use crate::state::{JobState, sql};

/// Largest page of [`list`].
pub const MAX_PAGE: i64 = 500;
/// Largest page of [`page`].
pub const MAX_OFFSET_PAGE: i64 = 1000;

/// Which jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Of this tenant; `None` for all.
    pub tenant: Option<i32>,
    /// Of one of these tenants; `None` for all.
    pub tenants: Option<Vec<i32>>,
    /// In one of these states; empty for all.
    pub states: Vec<JobState>,
    /// Of this queue.
    pub queue: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// With smaller ids than this.
    pub before: Option<i64>,
    /// Made at this time or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Made before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Leaves out finished jobs whose content was deleted.
    pub with_data: bool,
    /// Does not read the payloads: each is answered as `{}`.
    pub without_payload: bool,
    /// Leaves out jobs that are gone from every compatibility interface; see [`super::is_gone`].
    pub not_gone: bool,
}

/// Most jobs that are counted beside a page.
pub const COUNTED: i64 = 100_000;

/// How many jobs there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Exact, or as far as was counted.
    pub jobs: i64,
    /// Whether there are more.
    pub capped: bool,
}

impl Count {
    /// The count as it can be said beside a page of `jobs` jobs after the first `offset`: never less than what was seen, and more
    /// than that when counting stopped and the page is full, so that whoever follows the pages does not stop there.
    fn with_page(self, offset: i64, jobs: usize, limit: i64) -> i64 {
        let jobs = i64::try_from(jobs).unwrap_or(i64::MAX);
        let more = self.capped && jobs >= limit;
        let seen = offset.saturating_add(jobs).saturating_add(i64::from(more));
        self.jobs.max(seen)
    }
}

/// Payloads on a page together, in bytes of JSON; a page ends before it would have more.
const MAX_BYTES: i64 = 8 * 1024 * 1024;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Newest first.
    pub jobs: Vec<Job>,
    /// Whether there may be more below the last one.
    pub more: bool,
}

/// Up to `limit` jobs (1 to [`MAX_PAGE`]), newest first. Fewer when their payloads are large, but at least one.
///
/// # Errors
/// [`Error::Invalid`] for the limit.
pub fn list(conn: &mut PgConnection, filter: &JobFilter, limit: i64) -> Result<Listed> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(embed)]
        job: Job,
        #[diesel(sql_type = BigInt)]
        found: i64,
    }
    check_limit(limit, MAX_PAGE)?;
    let parts = parts(filter, |columns| chosen(filter, columns));
    let text = format!(
        "-- list_jobs
         select * from (
           select u.*, count(*) over () as found, sum(octet_length(u.payload)) over (order by u.id desc) as bytes,
             row_number() over (order by u.id desc) as place
           from (select * from ({}) p order by id desc limit $9) u) x
         where bytes <= $10 or place = 1 order by id desc",
        parts.join(" union all ")
    );
    let rows: Vec<Row> = bound(&text, filter, limit)
        .bind::<BigInt, _>(MAX_BYTES)
        .load(conn)?;
    let found = rows.first().map_or(0, |row| row.found);
    let jobs: Vec<Job> = rows.into_iter().map(|row| row.job).collect();
    Ok(Listed {
        more: found >= limit || found > jobs.len() as i64,
        jobs,
    })
}

fn check_limit(limit: i64, most: i64) -> Result<()> {
    if (1..=most).contains(&limit) {
        return Ok(());
    }
    Err(Error::invalid(
        "limit",
        format!("limit is {limit}, it must be from 1 to {most}"),
    ))
}

/// Up to `limit` jobs (1 to [`MAX_OFFSET_PAGE`]), newest first, leaving out the first `offset` jobs. What is left out is read all
/// the same, and jobs that arrive meanwhile move the pages: where there is a choice, walk with [`JobFilter::before`]. However large
/// the payloads are: leave them out where they are not shown.
///
/// # Errors
/// [`Error::Invalid`] for the limit or a negative offset.
pub fn page(
    conn: &mut PgConnection,
    filter: &JobFilter,
    offset: i64,
    limit: i64,
) -> Result<Vec<Job>> {
    check_limit(limit, MAX_OFFSET_PAGE)?;
    let last = offset
        .checked_add(limit)
        .filter(|_| offset >= 0)
        .ok_or_else(|| {
            Error::invalid(
                "offset",
                format!("offset is {offset}, it must be 0 or more and leave room for the page"),
            )
        })?;
    let parts = parts(filter, |columns| chosen(filter, columns));
    let text = format!(
        "-- page_of_jobs\n select * from ({}) u order by id desc offset $10 limit $11",
        parts.join(" union all ")
    );
    Ok(bound(&text, filter, last)
        .bind::<BigInt, _>(offset)
        .bind::<BigInt, _>(limit)
        .load(conn)?)
}

/// As [`page`], and how many jobs there are, for showing beside it: counted up to [`COUNTED`] of the unfinished and of the finished ones
/// each, and from there on more than what lies before the end of the page, as long as there is more.
///
/// # Errors
/// Those of [`page`].
pub fn counted_page(
    conn: &mut PgConnection,
    filter: &JobFilter,
    offset: i64,
    limit: i64,
) -> Result<(Vec<Job>, i64)> {
    let count = count(conn, filter, COUNTED)?;
    if offset >= count.jobs && !count.capped {
        return Ok((Vec::new(), count.jobs));
    }
    let jobs = page(conn, filter, offset, limit)?;
    let total = count.with_page(offset, jobs.len(), limit);
    Ok((jobs, total))
}

fn chosen(filter: &JobFilter, columns: &str) -> String {
    if filter.without_payload {
        columns.replace("j.payload::text", "'{}'::text")
    } else {
        columns.to_owned()
    }
}

/// Counts the jobs, up to `cap` of the unfinished and `cap` of the finished ones.
///
/// # Errors
/// Those of the database.
pub fn count(conn: &mut PgConnection, filter: &JobFilter, cap: i64) -> Result<Count> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        jobs: i64,
        #[diesel(sql_type = diesel::sql_types::Bool)]
        capped: bool,
    }
    let counts: Vec<String> = parts(filter, |_| "1".to_owned())
        .into_iter()
        .map(|part| format!("select count(*) as n from {part} c"))
        .collect();
    let text = format!(
        "-- count_jobs\n select coalesce(sum(least(n, $9 - 1)), 0)::bigint as jobs, coalesce(bool_or(n >= $9), false) as capped from ({}) u",
        counts.join(" union all ")
    );
    let row: Row = bound(&text, filter, cap.saturating_add(1)).get_result(conn)?;
    Ok(Count {
        jobs: row.jobs,
        capped: row.capped,
    })
}

type Query = BoxedSqlQuery<'static, Pg, SqlQuery>;

/// Binds `$1` to `$9`: the filter, and how many rows of each table are looked for.
fn bound(text: &str, filter: &JobFilter, most: i64) -> Query {
    diesel::sql_query(text)
        .into_boxed::<Pg>()
        .bind::<Nullable<Integer>, _>(filter.tenant)
        .bind::<BigInt, _>(filter.before.unwrap_or(i64::MAX))
        .bind::<Array<sql::JobState>, _>(filter.states.clone())
        .bind::<Nullable<Text>, _>(filter.queue.clone())
        .bind::<Nullable<Text>, _>(filter.kind.clone())
        .bind::<Nullable<Timestamptz>, _>(filter.created_from)
        .bind::<Nullable<Timestamptz>, _>(filter.created_before)
        .bind::<diesel::sql_types::Bool, _>(filter.with_data)
        .bind::<BigInt, _>(most)
}

/// One subquery for each table that can hold such jobs, with `$1` to `$9` as [`bound`].
fn parts(filter: &JobFilter, select: impl Fn(&str) -> String) -> Vec<String> {
    let wants = |terminal: bool| {
        filter.states.is_empty() || filter.states.iter().any(|s| s.is_terminal() == terminal)
    };
    let mut parts = Vec::new();
    for (terminal, columns, table) in [(false, Job::LIVE, "job"), (true, Job::DONE, "job_done")] {
        if !wants(terminal) {
            continue;
        }
        let mut sql = format!(
            "(select {} from belay.{table} j where ($1 is null or j.tenant = $1) and j.id < $2",
            select(columns)
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
        sql.push_str(" and ($4 is null or j.queue = $4) and ($5 is null or j.kind = $5) and ($6 is null or j.created_at >= $6)");
        sql.push_str(" and ($7 is null or j.created_at < $7)");
        if let Some(tenants) = &filter.tenants {
            let tenants: Vec<String> = tenants.iter().map(ToString::to_string).collect();
            sql.push_str(&format!(
                " and j.tenant = any ('{{{}}}'::integer[])",
                tenants.join(",")
            ));
        }
        sql.push_str(if terminal {
            " and (not $8 or j.data_deleted_at is null)"
        } else {
            " and ($8 or true)"
        });
        if terminal && filter.not_gone {
            sql.push_str(&format!(" and not {}", super::marks::GONE));
        }
        sql.push_str(" order by j.id desc limit $9)");
        parts.push(sql);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn where_counting_stopped_a_full_page_is_not_the_last() {
        let exact = |jobs| Count {
            jobs,
            capped: false,
        };
        let capped = |jobs| Count { jobs, capped: true };
        assert_eq!(exact(30).with_page(20, 10, 10), 30);
        assert_eq!(exact(29).with_page(20, 10, 10), 30, "one came meanwhile");
        assert_eq!(capped(100).with_page(20, 10, 10), 100);
        assert_eq!(capped(100).with_page(90, 10, 10), 101);
        assert_eq!(capped(100).with_page(200, 10, 10), 211);
        assert_eq!(capped(100).with_page(210, 7, 10), 217);
    }
}
