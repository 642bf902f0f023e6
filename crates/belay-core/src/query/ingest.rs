//! Jobs with the time of their latest change of state, and lists of ingest jobs in several orders.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer};

use crate::error::{Error, Result};
use crate::id::JobRef;
use crate::model::{IngestJob, Job};
use crate::state::{JobState, sql};

/// Largest page.
pub const MAX_PAGE: i64 = 100;

/// What an ingest job is in the order of a list. Times and numbers come with the latest first, texts in the order of the
/// database; jobs that are equal come with the latest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The latest change of its state.
    #[default]
    Modified,
    /// When it was made.
    Created,
    /// Its number.
    Number,
    /// Where it stands, from open to failed.
    State,
    /// What is loaded.
    Object,
    /// How it is loaded.
    Operation,
    /// Where the data comes from, in the words of whoever made it.
    Source,
}

impl Order {
    /// The order on the columns of a job, which stand behind `at`; its latest change and its payload are these expressions.
    fn by(self, at: &str, modified: &str, payload: &str) -> String {
        match self {
            Self::Modified => format!("{modified} desc"),
            Self::Created => format!("{at}created_at desc"),
            Self::Number => format!("{at}id desc"),
            Self::State => format!(
                "array_position(array['open', 'scheduled', 'queued', 'running', 'suspended', 'cancelling', 'cancelled', 'completed', 'failed']::belay.job_state[], {at}state)"
            ),
            Self::Object => format!("{payload} ->> 'object'"),
            Self::Operation => format!("{payload} ->> 'operation'"),
            Self::Source => format!("{payload} ->> 'sourceName'"),
        }
    }
}

/// The latest change of an unfinished job `j`. Claims are columns, a start that was put off begins at its time (the time for
/// which an open job is planned is no change), and everything else is on record.
const LIVE_MODIFIED: &str =
    "greatest(j.created_at, j.claimed_at, case when j.state not in ('open', 'scheduled') then j.run_at end,
    (select max(e.at) from belay.job_event e where e.job = j.id))";
/// Nothing changes after the end.
const DONE_MODIFIED: &str = "j.finished_at";

/// Reads a job of a tenant, of whatever kind. One that is gone ([`super::is_gone`]) is not there.
///
/// # Errors
/// [`Error::Missing`] when there is no such job in that tenant, the spelling belongs to another time, or it is gone.
pub fn get(conn: &mut PgConnection, tenant: i32, job: &JobRef) -> Result<IngestJob> {
    let text = format!(
        "-- get_ingest_job
         select {live}, {LIVE_MODIFIED} as modified_at, now() as read_at from belay.job j where j.id = $1 and j.tenant = $2
         union all
         select {done}, {DONE_MODIFIED}, now() from belay.job_done j where j.id = $1 and j.tenant = $2",
        live = Job::LIVE,
        done = Job::DONE,
    );
    let found = diesel::sql_query(text)
        .bind::<BigInt, _>(job.id)
        .bind::<Integer, _>(tenant)
        .get_result::<IngestJob>(conn)
        .optional()?
        .filter(|found| job.matches(found.job.created_at));
    match found {
        Some(found) if !super::is_gone(conn, &found.job)? => Ok(found),
        _ => Err(Error::missing(format!("job {job}"))),
    }
}

/// A page of the ingest jobs of a tenant: up to `limit` (1 to [`MAX_PAGE`]) after the first `offset`. `states` empty: all.
///
/// # Errors
/// [`Error::Invalid`] for the limit or the offset.
pub fn page(
    conn: &mut PgConnection,
    tenant: i32,
    states: &[JobState],
    order: Order,
    offset: i64,
    limit: i64,
) -> Result<Vec<IngestJob>> {
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Error::invalid(
            "limit",
            format!("limit is {limit}, it must be from 1 to {MAX_PAGE}"),
        ));
    }
    let last = offset
        .checked_add(limit)
        .filter(|_| offset >= 0)
        .ok_or_else(|| {
            Error::invalid(
                "offset",
                format!("offset is {offset}, it must be 0 or more and leave room for the page"),
            )
        })?;
    // In the inner queries the order is one on columns, so that an index can give it.
    let part = |columns: &str, modified: &str, table: &str, more: &str| {
        format!(
            "(select {columns}, {modified} as modified_at, now() as read_at from belay.{table} j
              where j.tenant = $1 and j.kind = 'ingest' and j.state = any ($2){more} order by {by}, j.id desc limit $3)",
            by = order.by("j.", modified, "j.payload"),
        )
    };
    let live = part(Job::LIVE, LIVE_MODIFIED, "job", "");
    let done = part(
        Job::DONE,
        DONE_MODIFIED,
        "job_done",
        " and j.data_deleted_at is null",
    );
    let text = format!(
        "-- list_ingest_jobs
         select * from ({live} union all {done}) u order by {by}, id desc offset $4 limit $5",
        by = order.by("", "modified_at", "payload::jsonb"),
    );
    let states = if states.is_empty() {
        JobState::ALL.to_vec()
    } else {
        states.to_vec()
    };
    Ok(diesel::sql_query(text)
        .into_boxed::<Pg>()
        .bind::<Integer, _>(tenant)
        .bind::<Array<sql::JobState>, _>(states)
        .bind::<BigInt, _>(last)
        .bind::<BigInt, _>(offset)
        .bind::<BigInt, _>(limit)
        .load(conn)?)
}
