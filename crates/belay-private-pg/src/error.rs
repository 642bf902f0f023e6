//! What can go wrong, in words for the person who has to put it right.

use std::io;
use std::path::PathBuf;

use crate::locate::MINIMUM_VERSION;

/// Why a private cluster could not be located, started, used or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No server programs that can be used.
    #[error(
        "no usable PostgreSQL server programs found ({needed}). Looked at:\n{tried}\n\
         Install them (Debian and Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; \
         macOS: brew install postgresql@17) or name the folder that holds initdb and postgres (BELAY_PG_BIN)"
    )]
    NoPrograms {
        /// The version that is needed, and why.
        needed: String,
        /// One indented line for each place looked at, with the reason it was not taken.
        tried: String,
    },

    /// The folder named by the caller does not hold usable server programs.
    #[error(
        "{} cannot be used as the folder of the PostgreSQL server programs: {reason} (BELAY_PG_BIN; need initdb and postgres, {needed})",
        path.display()
    )]
    BadProgramFolder {
        /// The folder as the caller named it.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// The version that is needed, and why.
        needed: String,
    },

    /// Another process holds the folder.
    #[error(
        "{} is in use by {holder}; two servers must never share one data folder. Stop the other one, or choose another folder",
        path.display()
    )]
    InUse {
        /// The cluster folder.
        path: PathBuf,
        /// Who holds it, as far as known.
        holder: String,
    },

    /// Something is at the place of the data directory that is not a data directory this crate can use.
    #[error("the PostgreSQL data in {} cannot be used: {reason}", path.display())]
    BadData {
        /// The data directory.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },

    /// The server cannot run as root, and there is no other user to run it as.
    #[error(
        "PostgreSQL refuses to run as root, and neither user \"postgres\" nor \"nobody\" exists here. \
         Create one (useradd --system postgres) or start this program as an ordinary user"
    )]
    NoUser,

    /// The user the server runs as cannot reach the folder.
    #[error(
        "the PostgreSQL server runs as user {user}, which may not enter {}. \
         Allow it (chmod o+x {}) or choose a data directory elsewhere, for example under /var/lib",
        blocked.display(),
        blocked.display()
    )]
    Unreachable {
        /// The user the server runs as.
        user: String,
        /// The first directory in the way.
        blocked: PathBuf,
    },

    /// A directory for the Unix socket could not be used.
    #[error("{} cannot hold the database socket: {reason}", path.display())]
    BadSocketDir {
        /// The directory.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },

    /// `initdb` failed.
    #[error("initdb could not make a new cluster in {}: {output}", path.display())]
    InitDb {
        /// The cluster folder.
        path: PathBuf,
        /// What initdb printed last.
        output: String,
    },

    /// The server did not come up, or ended.
    #[error("the PostgreSQL server in {} did not start: {reason}\nLast lines of {}:\n{log_tail}", path.display(), log.display())]
    NotStarted {
        /// The cluster folder.
        path: PathBuf,
        /// What was seen.
        reason: String,
        /// The log file of the server.
        log: PathBuf,
        /// Its last lines.
        log_tail: String,
    },

    /// A server from an earlier start is alive and does not answer.
    #[error(
        "a PostgreSQL server (process {pid}) is still running in {} but does not answer: {reason}. \
         Stop it (kill -QUIT {pid}) and start again",
        path.display()
    )]
    Unresponsive {
        /// The cluster folder.
        path: PathBuf,
        /// The process.
        pid: i32,
        /// What was seen.
        reason: String,
    },

    /// The server did not stop.
    #[error("the PostgreSQL server (process {pid}) did not stop: {reason}")]
    NotStopped {
        /// The process.
        pid: i32,
        /// What was seen.
        reason: String,
    },

    /// The caller cancelled the start.
    #[error("the start of the private PostgreSQL server was cancelled")]
    Cancelled,

    /// A statement of administration was refused or could not be sent.
    #[error("the private PostgreSQL server refused a statement: {message} (SQLSTATE {code})")]
    Statement {
        /// Five characters, `08006` when the connection itself failed.
        code: String,
        /// The server's words.
        message: String,
    },

    /// A database name that this crate does not accept.
    #[error(
        "\"{0}\" cannot be used as a database name; use 1 to 63 of the letters a-z, digits and underscore, starting with a letter"
    )]
    BadDatabaseName(String),

    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or program.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: an operating system error with what was tried on which path.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// "version 15 or newer", or the exact version existing data asks for.
pub(crate) fn needed_version(exact: Option<u32>) -> String {
    match exact {
        None => format!("version {MINIMUM_VERSION} or newer"),
        Some(major) => {
            format!("version {major}, because the existing data was written by that version")
        }
    }
}
