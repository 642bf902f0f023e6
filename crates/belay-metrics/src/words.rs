//! Label values that are ours: closed lists, so that a new outcome is a new word here and nowhere else.

/// How an attempt ended, as its worker counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobOutcome {
    /// The job ended well.
    Completed,
    /// The job ended badly.
    Failed,
    /// The job ended by a cancel.
    Cancelled,
    /// The attempt failed and another one will follow.
    Retried,
    /// The job asked to be run again later.
    Snoozed,
    /// The attempt was given back, for example because the worker is stopping.
    Released,
}

impl JobOutcome {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Retried,
        Self::Snoozed,
        Self::Released,
    ];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Retried => "retried",
            Self::Snoozed => "snoozed",
            Self::Released => "released",
        }
    }
}

/// What became of a job that was taken away from a dead worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RescueOutcome {
    /// It is back in its line.
    Queued,
    /// It had no attempt left.
    Failed,
    /// It had been cancelled.
    Cancelled,
}

impl RescueOutcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Queued, Self::Failed, Self::Cancelled];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Methods of HTTP that get a series of their own; a client can invent others.
pub(crate) fn known_method(name: &str) -> &str {
    match name {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => name,
        _ => crate::labels::OTHER,
    }
}
