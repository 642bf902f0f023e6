//! What a worker says of an attempt, and what becomes of it.

use crate::state::JobState;

/// How far a stop had to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rung {
    /// The code stopped by itself when asked (or finished first).
    Cooperative,
    /// A TERM signal ended it.
    Term,
    /// A KILL signal ended it.
    Kill,
}

impl Rung {
    /// The word kept in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cooperative => "cooperative",
            Self::Term => "term",
            Self::Kill => "kill",
        }
    }
}

/// What a worker says of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It worked.
    Completed,
    /// It failed.
    Failed {
        /// Why, for the reader of the job.
        error: String,
        /// Seconds until the next attempt, when there is one.
        delay_s: f64,
        /// Whether another attempt may be made.
        retry: bool,
    },
    /// Its time, or that of the whole job, was over, and it was stopped.
    TimedOut {
        /// Why, for the reader of the job.
        error: String,
        /// Seconds until the next attempt, when there is one.
        delay_s: f64,
        /// Whether another attempt may be made: not when the time of the whole job is over.
        retry: bool,
        /// What it took.
        rung: Rung,
    },
    /// It asks to be run again later, without using up an attempt.
    Snoozed {
        /// Seconds to wait.
        delay_s: f64,
    },
    /// It was stopped, and nothing of it is left running. On a job that nobody cancelled this gives it back to the line.
    Stopped {
        /// What it took.
        rung: Rung,
        /// Why, for the record, when it was not a cancel.
        cause: String,
    },
}

/// A worker's report on one attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The job.
    pub id: i64,
    /// The fence it was claimed with.
    pub fence: i32,
    /// What happened.
    pub verdict: Verdict,
}

/// What the code produced although the job had been cancelled: evidence, never the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishedAnyway {
    /// It had succeeded.
    Completed,
    /// It had failed.
    Failed,
    /// It wanted to go on later.
    Snoozed,
}

impl FinishedAnyway {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Snoozed => "snoozed",
        }
    }
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The job is in this state now.
    Now(JobState),
    /// The job is suspended: nothing was changed. Report again when it goes on.
    Held,
    /// The worker does not hold the job under that fence any more. Nothing was changed; it must stop the work.
    Stale,
}
