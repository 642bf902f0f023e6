//! How commands end: the exit code, and the words to it.

use std::fmt;
use std::io;
use std::process::ExitCode;

use belay_core::{Error, JobState};

use crate::config::ConfigError;

/// Exit codes. Scripts rely on them; they are listed in the help and in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It was done. `job watch` and `cancel --wait`: the job completed.
    Ok = 0,
    /// It was refused, or went wrong. `job watch` and `cancel --wait`: the job failed.
    Refused = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// There is no such job, tenant or key.
    Missing = 3,
    /// The database cannot be reached.
    Unreachable = 4,
    /// `job watch` and `cancel --wait`: the job was cancelled.
    Cancelled = 5,
    /// `job watch` and `cancel --wait`: the time given was over before the job ended.
    TimedOut = 6,
}

impl Exit {
    /// How a job that ended in this state makes `job watch` and `cancel --wait` end.
    #[must_use]
    pub(crate) const fn of_state(state: JobState) -> Self {
        match state {
            JobState::Completed => Self::Ok,
            JobState::Cancelled => Self::Cancelled,
            JobState::Failed
            | JobState::Open
            | JobState::Scheduled
            | JobState::Queued
            | JobState::Running
            | JobState::Suspended
            | JobState::Cancelling => Self::Refused,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// For the person at the terminal; nothing when it is empty.
    pub(crate) message: String,
}

impl Failure {
    /// A failure with its words.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error {
            Error::Missing { .. } => Exit::Missing,
            Error::Invalid { .. } => Exit::Usage,
            Error::Unreachable(_) => Exit::Unreachable,
            Error::Refused { .. }
            | Error::Conflict { .. }
            | Error::Busy(_)
            | Error::Database(_) => Exit::Refused,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}

impl From<io::Error> for Failure {
    /// For writing the answer. A reader that has seen enough (`| head`) is no failure of ours.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::new(Exit::Ok, "")
        } else {
            Self::new(Exit::Refused, format!("cannot write the answer: {error}"))
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        if error.is_io() {
            io::Error::from(error).into()
        } else {
            Self::new(Exit::Refused, format!("cannot write the answer: {error}"))
        }
    }
}
