//! A job, finished or not, as one thing.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz};
use uuid::Uuid;

use crate::id;
use crate::state::{JobState, sql};

/// A job. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Job {
    /// Number, from 1.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Number of the tenant.
    #[diesel(sql_type = Integer)]
    pub tenant: i32,
    /// What it is.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Where it waits.
    #[diesel(sql_type = Text)]
    pub queue: String,
    /// From 0 (first) to 9 (last).
    #[diesel(sql_type = SmallInt)]
    pub priority: i16,
    /// Where it stands.
    #[diesel(sql_type = sql::JobState)]
    pub state: JobState,
    /// Attempts begun.
    #[diesel(sql_type = SmallInt)]
    pub attempt: i16,
    /// Attempts allowed.
    #[diesel(sql_type = SmallInt)]
    pub max_attempts: i16,
    /// Raised by every claim and every rescue.
    #[diesel(sql_type = Integer)]
    pub fence: i32,
    /// Worker that holds it, or held it last.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub worker: Option<i64>,
    /// JSON text.
    #[diesel(sql_type = Text)]
    pub payload: String,
    /// Error of the latest attempt that failed.
    #[diesel(sql_type = Nullable<Text>)]
    pub last_error: Option<String>,
    /// Seconds an attempt may take.
    #[diesel(sql_type = Nullable<Integer>)]
    pub timeout_s: Option<i32>,
    /// Seconds the whole job may take from its first start.
    #[diesel(sql_type = Nullable<Integer>)]
    pub job_timeout_s: Option<i32>,
    /// At most one unfinished job of the tenant has this key.
    #[diesel(sql_type = Nullable<Text>)]
    pub unique_key: Option<String>,
    /// The finished job whose content this one has.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub retry_of: Option<i64>,
    /// Who made it.
    #[diesel(sql_type = Text)]
    pub created_by: String,
    /// Through which interface.
    #[diesel(sql_type = Text)]
    pub created_via: String,
    /// When it was made.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// Not before.
    #[diesel(sql_type = Timestamptz)]
    pub run_at: DateTime<Utc>,
    /// First start.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub started_at: Option<DateTime<Utc>>,
    /// Latest start.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub claimed_at: Option<DateTime<Utc>>,
    /// End.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub finished_at: Option<DateTime<Utc>>,
    /// Whether the content was deleted.
    #[diesel(sql_type = Bool)]
    pub data_deleted: bool,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    cancel_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    cancel_actor: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    cancel_reason: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    cancel_via: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    cancel_rung: Option<String>,
}

/// The first cancel that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelMark {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// Through which interface.
    pub interface: String,
    /// What it took to stop; `None` while it is stopping.
    pub rung: Option<String>,
}

impl Job {
    /// The UUID spelling of its id.
    #[must_use]
    pub fn uid(&self) -> Uuid {
        id::uid(self.id, self.created_at)
    }

    /// The 24-digit spelling of its id.
    #[must_use]
    pub fn key(&self) -> String {
        id::key(self.id, self.created_at)
    }

    /// The accepted cancel, if there was one.
    #[must_use]
    pub fn cancel(&self) -> Option<CancelMark> {
        Some(CancelMark {
            at: self.cancel_at?,
            actor: self.cancel_actor.clone()?,
            reason: self.cancel_reason.clone(),
            interface: self.cancel_via.clone()?,
            rung: self.cancel_rung.clone(),
        })
    }

    /// Columns of an unfinished job `j`, for a query that loads this type.
    pub(crate) const LIVE: &'static str = "j.id, j.tenant, j.kind, j.queue, j.priority, j.state, j.attempt, j.max_attempts, j.fence, j.worker,
        j.payload::text as payload, j.last_error, j.timeout_s, j.job_timeout_s, j.unique_key, j.retry_of, j.created_by, j.created_via, j.created_at, j.run_at,
        j.started_at, j.claimed_at, null::timestamptz as finished_at, false as data_deleted, j.cancel_at, j.cancel_actor, j.cancel_reason,
        j.cancel_via, null::text as cancel_rung";

    /// The same of a finished job `j`.
    pub(crate) const DONE: &'static str = "j.id, j.tenant, j.kind, j.queue, j.priority, j.state, j.attempt, j.max_attempts, j.fence, j.worker,
        j.payload::text as payload, j.last_error, j.timeout_s, j.job_timeout_s, j.unique_key, j.retry_of, j.created_by, j.created_via, j.created_at, j.run_at,
        j.started_at, j.claimed_at, j.finished_at, j.data_deleted_at is not null as data_deleted,
        j.cancel_at, j.cancel_actor, j.cancel_reason, j.cancel_via, j.cancel_rung::text as cancel_rung";
}
