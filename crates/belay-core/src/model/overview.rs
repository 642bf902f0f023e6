//! Queues, kinds, workers and tenants as operators see them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz};

use crate::state::{JobState, sql};

/// Unfinished jobs of one queue in one state.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct QueueRow {
    /// The queue.
    #[diesel(sql_type = Text)]
    pub queue: String,
    /// The state.
    #[diesel(sql_type = sql::JobState)]
    pub state: JobState,
    /// How many; a lower bound when `capped`.
    #[diesel(sql_type = BigInt)]
    pub jobs: i64,
    /// Whether counting stopped at the cap.
    #[diesel(sql_type = Bool)]
    pub capped: bool,
}

/// A registered kind.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct KindRow {
    /// Its name.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// What runs it.
    #[diesel(sql_type = Text)]
    pub executor: String,
    /// Default queue.
    #[diesel(sql_type = Text)]
    pub queue: String,
    /// Default priority.
    #[diesel(sql_type = SmallInt)]
    pub priority: i16,
    /// Default attempts.
    #[diesel(sql_type = SmallInt)]
    pub max_attempts: i16,
    /// Default timeout of an attempt in seconds.
    #[diesel(sql_type = Nullable<Integer>)]
    pub timeout_s: Option<i32>,
    /// Whether running jobs can be held still.
    #[diesel(sql_type = Bool)]
    pub can_suspend: bool,
    /// How long a running job that is told to stop may take, in milliseconds.
    #[diesel(sql_type = Nullable<Integer>)]
    pub grace_ms: Option<i32>,
    /// Default time for a whole job in seconds.
    #[diesel(sql_type = Nullable<Integer>)]
    pub job_timeout_s: Option<i32>,
}

/// A worker and its lease.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct WorkerRow {
    /// Its number.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// A name for people.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// The machine.
    #[diesel(sql_type = Text)]
    pub host: String,
    /// Process number there.
    #[diesel(sql_type = Integer)]
    pub pid: i32,
    /// Version of the program.
    #[diesel(sql_type = Text)]
    pub version: String,
    /// Queues it serves; `None` for all.
    #[diesel(sql_type = Nullable<Array<Text>>)]
    pub queues: Option<Vec<String>>,
    /// Kinds it can run.
    #[diesel(sql_type = Array<Text>)]
    pub kinds: Vec<String>,
    /// Jobs it runs at once.
    #[diesel(sql_type = Integer)]
    pub slots: i32,
    /// Jobs it held at its last heartbeat.
    #[diesel(sql_type = Integer)]
    pub running: i32,
    /// Milliseconds it may be silent.
    #[diesel(sql_type = Integer)]
    pub lease_ms: i32,
    /// When it began.
    #[diesel(sql_type = Timestamptz)]
    pub started_at: DateTime<Utc>,
    /// Last heartbeat.
    #[diesel(sql_type = Timestamptz)]
    pub beat_at: DateTime<Utc>,
    /// Whether it claims nothing more.
    #[diesel(sql_type = Bool)]
    pub stopping: bool,
    /// When it was found dead, or ended.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub dead_at: Option<DateTime<Utc>>,
    /// Name of the API key it belongs to, when it works over HTTP.
    #[diesel(sql_type = Nullable<Text>)]
    pub key: Option<String>,
    /// Tenants whose jobs it gets; `None` for all.
    #[diesel(sql_type = Nullable<Array<Integer>>)]
    pub tenants: Option<Vec<i32>>,
    /// Whether an operator wants it to claim nothing more.
    #[diesel(sql_type = Bool)]
    pub drain: bool,
}

/// What the names of external workers begin with: programs that start and report on single jobs, without heartbeats.
pub(crate) const EXTERNAL: &str = "external:";

impl WorkerRow {
    /// Whether it only stands for a program outside that holds one job, and claims nothing.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.slots == 0 && self.name.starts_with(EXTERNAL)
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct TenantRow {
    /// Its number, from 1.
    #[diesel(sql_type = Integer)]
    pub id: i32,
    /// Its name.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// When it was made.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
}

impl TenantRow {
    /// The 24-digit spelling of its number.
    #[must_use]
    pub fn key(&self) -> String {
        crate::id::key(i64::from(self.id), self.created_at)
    }
}
