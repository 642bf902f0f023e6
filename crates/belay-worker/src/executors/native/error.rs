//! What a closure says when it did not complete its job.

use std::error::Error;
use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use crate::executors::{Finish, Rung};

/// How an attempt ended that did not complete its job.
///
/// Every error of the standard kind becomes one through `?`: the attempt has failed and may be retried, and the message names the
/// causes. For that reason it is no [`std::error::Error`] itself.
///
/// ```
/// use belay_worker::executors::native::JobError;
///
/// fn parse(text: &str) -> Result<u32, JobError> {
///     Ok(text.trim().parse()?)
/// }
/// assert_eq!(parse("x").unwrap_err().to_string(), "invalid digit found in string");
/// ```
pub struct JobError(What);

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Failed { message: String },
    Fatal { message: String },
    RetryAfter { message: String, delay: Duration },
    Snooze { delay: Duration },
    Stopped,
}

impl JobError {
    /// The attempt has failed; another one may help. The first 4000 characters of the message are kept.
    pub fn failed(message: impl Display) -> Self {
        // With the causes, where the error knows how to show them.
        let message = format!("{message:#}");
        Self(What::Failed { message })
    }

    /// The job has failed for good: another attempt would not help.
    pub fn fatal(message: impl Display) -> Self {
        let message = format!("{message:#}");
        Self(What::Fatal { message })
    }

    /// The attempt has failed, and the next one should come after `delay` (at least a millisecond), whatever the backoff of the kind says.
    pub fn retry_after(message: impl Display, delay: Duration) -> Self {
        let message = format!("{message:#}");
        Self(What::RetryAfter { message, delay })
    }

    /// The job should be run again after `delay` (at least a millisecond), without this attempt being used up.
    #[must_use]
    pub fn snooze(delay: Duration) -> Self {
        Self(What::Snooze { delay })
    }

    /// The work has been told to stop and has stopped. Said unasked it is a failure.
    #[must_use]
    pub fn stopped() -> Self {
        Self(What::Stopped)
    }

    /// How the attempt ended. `told`: it had been told to stop.
    pub(super) fn into_finish(self, told: bool) -> Finish {
        match self.0 {
            What::Failed { message } => Finish::Failed {
                error: message,
                retry: true,
            },
            What::Fatal { message } => Finish::Failed {
                error: message,
                retry: false,
            },
            What::RetryAfter { message, delay } => Finish::RetryAfter {
                error: message,
                delay,
            },
            What::Snooze { delay } => Finish::Snoozed { delay },
            What::Stopped if told => Finish::Stopped {
                rung: Rung::Cooperative,
            },
            What::Stopped => Finish::Failed {
                error: "its code says that it was stopped, and nobody had told it to stop".into(),
                retry: true,
            },
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for JobError {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            // Some errors repeat their cause in their own words.
            if !message.ends_with(&text) {
                // Writing to a String does not fail.
                let _ = write!(message, ": {text}");
            }
            cause = inner.source();
        }
        Self(What::Failed { message })
    }
}

impl Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            What::Failed { message }
            | What::Fatal { message }
            | What::RetryAfter { message, .. } => f.write_str(message),
            What::Snooze { delay } => write!(f, "to be run again in {delay:?}"),
            What::Stopped => f.write_str("stopped"),
        }
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the list")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn errors_of_all_kinds_are_failures_with_their_causes() {
        let error = Outer(std::io::Error::other("the disk is gone"));
        assert_eq!(
            JobError::from(error).into_finish(false),
            Finish::Failed {
                error: "cannot read the list: the disk is gone".into(),
                retry: true
            }
        );
    }

    #[test]
    fn a_stop_that_nobody_asked_for_is_a_failure() {
        assert_eq!(
            JobError::stopped().into_finish(true),
            Finish::Stopped {
                rung: Rung::Cooperative
            }
        );
        assert!(matches!(
            JobError::stopped().into_finish(false),
            Finish::Failed { retry: true, .. }
        ));
    }
}
