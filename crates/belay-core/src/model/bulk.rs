//! What is kept of bulk actions.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};

/// What is kept of a job as a bulk action. Of a job that is none, or of which nothing is kept any more, the counts are 0.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct BulkView {
    /// The job.
    #[diesel(sql_type = BigInt)]
    pub job: i64,
    /// Of the caller's own meaning.
    #[diesel(sql_type = BigInt)]
    pub action_duration: i64,
    /// Why.
    #[diesel(sql_type = Nullable<Text>)]
    pub action_reason: Option<String>,
    /// Most jobs that are acted on; 0 for no limit.
    #[diesel(sql_type = BigInt)]
    pub max_limit: i64,
    /// Jobs that matched when it was asked for.
    #[diesel(sql_type = BigInt)]
    pub preview_count: i64,
    /// Jobs acted on.
    #[diesel(sql_type = BigInt)]
    pub affected_count: i64,
    /// Steps done, of a walk or as the job itself says.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub done: Option<i64>,
    /// Steps in all.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub total: Option<i64>,
    /// Last change that the job's own row does not tell.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub changed_at: Option<DateTime<Utc>>,
}
