//! A line of a job's record.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Jsonb, Nullable, SmallInt, Text, Timestamptz};

use crate::state::{JobState, sql};

/// One entry of a job's timeline.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct EventRow {
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    /// What happened: `created`, `claimed`, `completed`, or the name of a recorded event.
    #[diesel(sql_type = Text)]
    pub event: String,
    /// State before.
    #[diesel(sql_type = Nullable<sql::JobState>)]
    pub was: Option<JobState>,
    /// State after.
    #[diesel(sql_type = Nullable<sql::JobState>)]
    pub state: Option<JobState>,
    /// Attempt it belongs to; 0 before the first.
    #[diesel(sql_type = SmallInt)]
    pub attempt: i16,
    /// Worker concerned.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub worker: Option<i64>,
    /// Who.
    #[diesel(sql_type = Text)]
    pub actor: String,
    /// Through which interface.
    #[diesel(sql_type = Text)]
    pub via: String,
    /// Why.
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
    /// More, by event.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub detail: Option<serde_json::Value>,
}
