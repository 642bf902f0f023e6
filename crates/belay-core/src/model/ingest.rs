//! A job as the interface for ingest jobs shows it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Timestamptz;

use super::Job;

/// A job and when its state changed last.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct IngestJob {
    /// The job.
    #[diesel(embed)]
    pub job: Job,
    /// Its latest change of state.
    #[diesel(sql_type = Timestamptz)]
    pub modified_at: DateTime<Utc>,
    /// When this was read.
    #[diesel(sql_type = Timestamptz)]
    pub read_at: DateTime<Utc>,
}
