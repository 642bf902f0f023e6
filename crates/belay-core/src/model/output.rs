//! What a job shows while it runs and afterwards.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt, Text, Timestamptz};

/// Output of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct OutputView {
    /// The attempt, from 1.
    #[diesel(sql_type = SmallInt)]
    pub attempt: i16,
    /// Last part of standard output.
    #[diesel(sql_type = Text)]
    pub stdout: String,
    /// Last part of standard error.
    #[diesel(sql_type = Text)]
    pub stderr: String,
    /// Bytes of standard output in all.
    #[diesel(sql_type = BigInt)]
    pub stdout_bytes: i64,
    /// Bytes of standard error in all.
    #[diesel(sql_type = BigInt)]
    pub stderr_bytes: i64,
    /// Exit code, once known.
    #[diesel(sql_type = Nullable<Integer>)]
    pub exit_code: Option<i32>,
    /// Signal that ended it, once known.
    #[diesel(sql_type = Nullable<Integer>)]
    pub signal: Option<i32>,
    /// How long the attempt ran in milliseconds, once known.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub ran_ms: Option<i64>,
    /// Last change.
    #[diesel(sql_type = Timestamptz)]
    pub updated_at: DateTime<Utc>,
}

/// Progress of a job.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct ProgressView {
    /// The attempt that reported it.
    #[diesel(sql_type = SmallInt)]
    pub attempt: i16,
    /// Steps done.
    #[diesel(sql_type = BigInt)]
    pub done: i64,
    /// Steps in all.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub total: Option<i64>,
    /// A word to the reader.
    #[diesel(sql_type = Nullable<Text>)]
    pub message: Option<String>,
    /// Last change.
    #[diesel(sql_type = Timestamptz)]
    pub updated_at: DateTime<Utc>,
}
