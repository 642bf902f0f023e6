//! What is wrong with a configuration, said so that it can be put right without looking anything up.

use std::fmt;
use std::path::PathBuf;

/// Why a configuration was refused.
#[derive(Debug)]
pub struct ConfigError {
    /// Where the value came from.
    pub place: Place,
    /// The member of the file, the variable or the flag, for example `worker.slots`; empty when the whole is meant.
    pub member: String,
    /// What is wrong, with the value, and what is expected.
    pub message: String,
}

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A flag of the command line.
    Flag,
    /// A variable of the environment.
    Environment,
    /// A file, and the line in it, from 1, where that is known.
    File(PathBuf, Option<usize>),
    /// Nowhere: it is missing.
    Nowhere,
}

impl ConfigError {
    /// An error about a variable of the environment.
    pub(crate) fn variable(name: &str, message: impl Into<String>) -> Self {
        Self {
            place: Place::Environment,
            member: name.to_owned(),
            message: message.into(),
        }
    }

    /// An error about a member whose place is found later.
    pub(crate) fn member(member: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place: Place::Nowhere,
            member: member.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Flag => write!(f, "command line: ")?,
            Place::Environment => write!(f, "environment: ")?,
            Place::File(path, None) => write!(f, "{}: ", path.display())?,
            Place::File(path, Some(line)) => write!(f, "{}, line {line}: ", path.display())?,
            Place::Nowhere => {}
        }
        if !self.member.is_empty() {
            write!(f, "{}: ", self.member)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}
