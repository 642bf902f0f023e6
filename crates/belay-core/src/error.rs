//! What can go wrong, told apart by what the caller should do about it.

use diesel::result::{DatabaseErrorKind, Error as Diesel};

use crate::state::JobState;

/// Result of an operation on the database.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation did not happen. Whatever the variant, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or not in the tenant that was named.
    #[error("there is no {what}")]
    Missing {
        /// What was looked for, with its id or name.
        what: String,
    },
    /// The job exists, but its state does not allow this.
    #[error("{message}")]
    Refused {
        /// The state that refused.
        state: Option<JobState>,
        /// What was asked and why it was refused.
        message: String,
    },
    /// The request names a value that is not allowed.
    #[error("{message}")]
    Invalid {
        /// The member of the request that is wrong, as the caller spells it.
        field: &'static str,
        /// What is wrong, with the value.
        message: String,
    },
    /// The same key was used for something else.
    #[error("{message}")]
    Conflict {
        /// Which key, and what to do.
        message: String,
    },
    /// Somebody else holds what this needs, or all connections are in use. Trying again soon may work.
    #[error("busy: {0}")]
    Busy(String),
    /// The database cannot be reached.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// Anything else the database said. A defect, or a schema changed by hand.
    #[error("database error: {0}")]
    Database(#[source] Diesel),
}

impl Error {
    /// Shorthand for [`Error::Missing`].
    pub fn missing(what: impl Into<String>) -> Self {
        Self::Missing { what: what.into() }
    }

    /// Shorthand for [`Error::Invalid`].
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            message: message.into(),
        }
    }

    /// Whether the same call may succeed when it is made again after a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unreachable(_))
    }
}

impl From<Diesel> for Error {
    fn from(error: Diesel) -> Self {
        let Diesel::DatabaseError(kind, info) = &error else {
            return match error {
                Diesel::NotFound => Self::missing("such row"),
                Diesel::BrokenTransactionManager => {
                    Self::Unreachable("the connection broke in the middle of a transaction".into())
                }
                other => Self::Database(other),
            };
        };
        let message = info.message().to_owned();
        match kind {
            DatabaseErrorKind::SerializationFailure => return Self::Busy(message),
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::ReadOnlyTransaction => {
                return Self::Unreachable(message);
            }
            _ => {}
        }
        let with_hint = || {
            info.hint()
                .map_or_else(|| message.clone(), |hint| format!("{message}. {hint}"))
        };
        match info.constraint_name() {
            Some("belay_unknown_kind") => Self::invalid("kind", with_hint()),
            Some("belay_unknown_tenant") => Self::invalid("tenant", with_hint()),
            Some("queue_name" | "kind_queue") => Self::invalid("queue", message),
            Some("job_priority" | "kind_priority" | "belay_priority") => {
                Self::invalid("priority", message)
            }
            Some("job_attempts" | "kind_max_attempts" | "belay_max_attempts") => {
                Self::invalid("max_attempts", "max_attempts must be from 1 to 1000")
            }
            Some("job_timeout" | "kind_timeout") => Self::invalid(
                "timeout_s",
                "timeout_s must be from 1 to 31536000 seconds (a year)",
            ),
            Some("belay_payload" | "belay_payload_size") => Self::invalid("payload", message),
            Some("kind_name") => Self::invalid(
                "kind",
                format!(
                    "{message}: a kind's name has 1 to 100 letters, digits and . _ : - and begins with a letter or digit"
                ),
            ),
            Some("belay_run_at") => Self::invalid("run_at", message),
            Some("belay_jobs") => Self::invalid("jobs", message),
            Some("belay_unique_key") => Self::invalid("unique_key", message),
            Some("idempotency_key") => Self::invalid("Idempotency-Key", message),
            Some("belay_idempotency_conflict") => Self::Conflict {
                message: with_hint(),
            },
            Some("job_transition") => Self::Refused {
                state: None,
                message,
            },
            // Lock and statement timeouts have no kind of their own in diesel.
            None if is_contention(&message) => Self::Busy(message),
            None if is_going_away(&message) => Self::Unreachable(message),
            _ => Self::Database(error),
        }
    }
}

/// Whether a message of the database says that somebody else was in the way.
pub(crate) fn is_contention(message: &str) -> bool {
    message.contains("lock timeout")
        || message.contains("statement timeout")
        || message.contains("deadlock detected")
}

fn is_going_away(message: &str) -> bool {
    [
        "server closed the connection",
        "terminating connection",
        "the database system is",
        "connection to server",
        "no connection to the server",
        "could not connect",
    ]
    .iter()
    .any(|part| message.contains(part))
}

impl From<diesel::ConnectionError> for Error {
    fn from(error: diesel::ConnectionError) -> Self {
        Self::Unreachable(error.to_string())
    }
}
