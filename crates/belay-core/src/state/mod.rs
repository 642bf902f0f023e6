//! The states of a job, as one pure table. No database here: the same table stands in the database as constraints
//! and triggers, and a test proves the two equal.

mod table;

pub mod sql;

pub use table::{Event, TRANSITIONS, Transition, next};

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The state of a job.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    diesel::expression::AsExpression,
    diesel::deserialize::FromSqlRow,
)]
#[diesel(sql_type = sql::JobState)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Takes uploads; not in any line yet.
    Open,
    /// Waits for its time, also between attempts.
    Scheduled,
    /// In the line; may be claimed.
    Queued,
    /// Claimed by a worker under a lease.
    Running,
    /// Started, then held still by its worker.
    Suspended,
    /// A cancel was accepted; its worker has not said yet that the work has stopped.
    Cancelling,
    /// Ended well.
    Completed,
    /// Ended badly, with no attempt left or none wanted.
    Failed,
    /// Ended by a cancel. Nothing of it runs any more.
    Cancelled,
}

impl JobState {
    /// All states, in the order of the database's type.
    pub const ALL: [Self; 9] = [
        Self::Open,
        Self::Scheduled,
        Self::Queued,
        Self::Running,
        Self::Suspended,
        Self::Cancelling,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The name used in the database, in JSON and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a job in this state has ended and never changes again.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Whether a worker holds a job in this state under its lease.
    #[must_use]
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Running | Self::Suspended | Self::Cancelling)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown state {0:?}; the states are open, scheduled, queued, running, suspended, cancelling, completed, failed and cancelled"
)]
pub struct UnknownState(pub String);

impl FromStr for JobState {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|s| s.as_str() == word)
            .ok_or_else(|| UnknownState(word.chars().take(40).collect()))
    }
}
