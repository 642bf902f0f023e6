//! The walk over the jobs of a filter: its beginning and its steps. What is locked, and in which order, stands in the
//! functions of the database that these call.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz};

use super::{BulkFilter, BulkKind};
use crate::error::{Error, Result};
use crate::state::sql;
use crate::stmt::stmt;

/// The attempt in whose name a walk acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkAttempt {
    /// The bulk job.
    pub job: i64,
    /// The fence of its claim.
    pub fence: i32,
    /// The worker that holds it.
    pub worker: i64,
}

/// Whether a walk may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It did.
    Go,
    /// The bulk job is suspended: nothing was done, ask again when it goes on.
    Held,
    /// The bulk job was cancelled, or this attempt does not hold it any more: nothing was done and nothing will be.
    Gone,
    /// The job repeats another one whose terms are not kept any more, so its limit is not known: nothing was done.
    TermsLost,
}

impl Standing {
    fn parse(word: &str) -> Result<Self> {
        match word {
            "go" => Ok(Self::Go),
            "held" => Ok(Self::Held),
            "gone" => Ok(Self::Gone),
            "terms_lost" => Ok(Self::TermsLost),
            other => Err(Error::Database(
                diesel::result::Error::DeserializationError(
                    format!("unknown standing {other:?}").into(),
                ),
            )),
        }
    }
}

/// A walk as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkWalk {
    /// The tenant whose jobs it is about.
    pub tenant: i32,
    /// Ids up to this one are behind it.
    pub walk_id: i64,
    /// Where it ends.
    pub last_id: i64,
    /// Jobs that finished later are not its business.
    pub begun_at: DateTime<Utc>,
    /// Most jobs that are acted on; 0 for no limit.
    pub max_limit: i64,
    /// Jobs acted on.
    pub affected: i64,
    /// Jobs acted on or skipped.
    pub done: i64,
    /// Jobs that matched at the first start, if that is known.
    pub total: Option<i64>,
}

/// Begins a walk, or takes it up where it was left. One statement.
///
/// # Errors
/// [`Error::Busy`] when somebody holds the bulk job too long. A walk that may not act is an answer: its standing, and no walk.
pub fn begin_bulk(
    conn: &mut PgConnection,
    attempt: BulkAttempt,
    bulk: BulkKind,
) -> Result<(Standing, Option<BulkWalk>)> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        standing: String,
        #[diesel(sql_type = Nullable<Integer>)]
        tenant: Option<i32>,
        #[diesel(sql_type = Nullable<BigInt>)]
        walk_id: Option<i64>,
        #[diesel(sql_type = Nullable<BigInt>)]
        last_id: Option<i64>,
        #[diesel(sql_type = Nullable<Timestamptz>)]
        begun_at: Option<DateTime<Utc>>,
        #[diesel(sql_type = Nullable<BigInt>)]
        max_limit: Option<i64>,
        #[diesel(sql_type = Nullable<BigInt>)]
        affected_count: Option<i64>,
        #[diesel(sql_type = Nullable<BigInt>)]
        done_count: Option<i64>,
        #[diesel(sql_type = Nullable<BigInt>)]
        total: Option<i64>,
    }
    let row: Row =
        diesel::sql_query("-- begin_bulk\n select * from belay.op_bulk_begin($1, $2, $3, $4)")
            .bind::<BigInt, _>(attempt.job)
            .bind::<Integer, _>(attempt.fence)
            .bind::<BigInt, _>(attempt.worker)
            .bind::<Bool, _>(bulk == BulkKind::Retry)
            .get_result(conn)?;
    let walk = || {
        Some(BulkWalk {
            tenant: row.tenant?,
            walk_id: row.walk_id?,
            last_id: row.last_id?,
            begun_at: row.begun_at?,
            max_limit: row.max_limit?,
            affected: row.affected_count?,
            done: row.done_count?,
            total: row.total,
        })
    };
    Ok((Standing::parse(&row.standing)?, walk()))
}

/// Notes how many jobs matched when the walk began; only the first time.
///
/// # Errors
/// Those of the database.
pub fn note_bulk_total(conn: &mut PgConnection, job: i64, total: i64) -> Result<()> {
    stmt::<()>("-- note_bulk_total\n update belay.bulk_action set total = $2 where job = $1 and total is null")
        .bind::<BigInt, _>(job)
        .bind::<BigInt, _>(total)
        .execute(conn)?;
    Ok(())
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkStep {
    /// Whether it did anything. The rest means nothing unless it did.
    pub standing: Standing,
    /// Jobs acted on so far, in all attempts.
    pub affected: i64,
    /// Jobs acted on or skipped so far, in all attempts.
    pub done: i64,
    /// Whether the walk is over.
    pub over: bool,
}

/// Moves a walk on by up to `chunk` jobs, looking at `window` at most. One statement, and so one transaction
/// when the caller has none.
///
/// # Errors
/// [`Error::Busy`] when somebody holds one of the jobs too long: nothing was done, call again.
pub fn bulk_step(
    conn: &mut PgConnection,
    attempt: BulkAttempt,
    filter: &BulkFilter,
    chunk: i32,
    window: i32,
) -> Result<BulkStep> {
    const CANCEL: &str = "-- bulk_cancel_step
        select standing, coalesce(affected, 0), coalesce(done, 0), coalesce(over, false)
        from belay.op_bulk_cancel_step($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    const RETRY: &str = "-- bulk_retry_step
        select standing, coalesce(affected, 0), coalesce(done, 0), coalesce(over, false)
        from belay.op_bulk_retry_step($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let text = match filter.bulk {
        BulkKind::Cancel => CANCEL,
        BulkKind::Retry => RETRY,
    };
    let (standing, affected, done, over) = stmt::<(Text, BigInt, BigInt, Bool)>(text)
        .bind::<BigInt, _>(attempt.job)
        .bind::<Integer, _>(attempt.fence)
        .bind::<BigInt, _>(attempt.worker)
        .bind::<Nullable<Text>, _>(&filter.queue)
        .bind::<Nullable<Text>, _>(&filter.kind)
        .bind::<Array<sql::JobState>, _>(filter.states.as_slice())
        .bind::<Nullable<Timestamptz>, _>(filter.created_from)
        .bind::<Nullable<Timestamptz>, _>(filter.created_before)
        .bind::<Integer, _>(chunk)
        .bind::<Integer, _>(window)
        .get_result::<(String, i64, i64, bool)>(conn)?;
    Ok(BulkStep {
        standing: Standing::parse(&standing)?,
        affected,
        done,
        over,
    })
}
