//! Who asks, and through which interface. Written beside every change that is not part of a job's ordinary life.

use std::fmt;

use crate::error::{Error, Result};

/// Longest reason kept, in characters.
pub const MAX_REASON: usize = 1000;

/// The interface a request came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// The SQL functions.
    Sql,
    /// The native HTTP API.
    Native,
    /// The command line.
    Cli,
    /// The daemon itself, in a background duty.
    Daemon,
    /// A worker's report.
    Worker,
    /// The HTTP dialect of that name.
    Prospecting,
    /// The HTTP dialect of that name.
    Jobs,
    /// The HTTP dialect of that name.
    Vault,
    /// The HTTP dialect of that name.
    BulkActions,
    /// The HTTP dialect of that name.
    Ingest,
}

impl Via {
    /// The name kept in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Native => "native",
            Self::Cli => "cli",
            Self::Daemon => "daemon",
            Self::Worker => "worker",
            Self::Prospecting => "prospecting",
            Self::Jobs => "jobs",
            Self::Vault => "vault",
            Self::BulkActions => "bulk-actions",
            Self::Ingest => "ingest",
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// A name a person can follow up: the API key's name, the login on the command line.
    pub name: String,
    /// The interface.
    pub via: Via,
}

impl Actor {
    /// Names an actor; names are cut to 200 characters.
    pub fn new(name: impl AsRef<str>, via: Via) -> Self {
        Self {
            name: name
                .as_ref()
                .chars()
                .filter(|c| *c != '\0')
                .take(200)
                .collect(),
            via,
        }
    }
}

/// Checks the reason given for a cancel or another change.
///
/// # Errors
/// [`Error::Invalid`] when it is longer than [`MAX_REASON`] characters or holds a NUL character.
pub fn check_reason(reason: Option<&str>) -> Result<()> {
    let Some(reason) = reason else { return Ok(()) };
    let length = reason.chars().count();
    if length > MAX_REASON {
        return Err(Error::invalid(
            "reason",
            format!("reason has {length} characters, at most {MAX_REASON} are allowed"),
        ));
    }
    if reason.contains('\0') {
        return Err(Error::invalid(
            "reason",
            "reason holds the character NUL, which the database cannot store",
        ));
    }
    Ok(())
}
