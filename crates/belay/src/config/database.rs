//! `[database]`: where the jobs are.

use std::path::PathBuf;
use std::time::Duration;

use belay_core::db::DbConfig;
use serde::Deserialize;

use super::ConfigError;
use super::duration::{self, check, seconds};

/// Where the jobs are, and how to use that database.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// Connection string of an existing database (`DATABASE_URL`). Without one the daemon runs a private PostgreSQL in the data
    /// directory.
    pub url: Option<String>,
    /// Folder of the PostgreSQL server programs for the private one (`BELAY_PG_BIN`); searched when not set.
    pub pg_bin: Option<PathBuf>,
    /// Whether a transaction pooler (PgBouncer) stands before the database.
    pub pooler: bool,
    /// Connections for requests, 1 to 1000.
    pub pool_size: u32,
    /// How long a request waits for one of them before it is told that the daemon is busy, 10 ms to 1 minute.
    #[serde(deserialize_with = "duration::required")]
    pub pool_wait: Duration,
    /// How long a start waits for a database that is away, up to a day.
    #[serde(deserialize_with = "duration::required")]
    pub start_wait: Duration,
    /// Whether `serve` brings the schema up to date. Without, run `belay migrate`.
    pub migrate: bool,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            pg_bin: None,
            pooler: false,
            pool_size: 16,
            pool_wait: seconds(3),
            start_wait: seconds(60),
            migrate: true,
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The connection string may hold a password.
        f.debug_struct("Database")
            .field("url", &self.url.as_ref().map(|_| "..."))
            .field("pg_bin", &self.pg_bin)
            .finish_non_exhaustive()
    }
}

impl Database {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(1..=1000).contains(&self.pool_size) {
            return Err(ConfigError::member(
                "database.pool_size",
                format!(
                    "{} is out of range; it must be from 1 to 1000",
                    self.pool_size
                ),
            ));
        }
        check(
            "database.pool_wait",
            self.pool_wait,
            Duration::from_millis(10)..=seconds(60),
        )?;
        check(
            "database.start_wait",
            self.start_wait,
            Duration::ZERO..=duration::days(1),
        )?;
        if let Some(url) = &self.url {
            check_url(url)?;
        }
        Ok(())
    }

    /// A connection string with what every connection of this program has.
    #[must_use]
    pub fn connection(&self, url: &str) -> String {
        let mut text = url.to_owned();
        for (name, value) in PARAMETERS {
            if text.contains(name) {
                continue;
            }
            let sign = match (text.contains("://"), text.contains('?')) {
                (true, false) => '?',
                (true, true) => '&',
                (false, _) => ' ',
            };
            text.push_str(&format!("{sign}{name}={value}"));
        }
        text
    }

    /// The settings for a connection string: of this section, or of the private cluster.
    #[must_use]
    pub fn config(&self, url: &str) -> DbConfig {
        let mut config = DbConfig::new(self.connection(url));
        config.pooler = self.pooler;
        config.pool_size = self.pool_size;
        config.pool_wait = self.pool_wait;
        config
    }
}

/// What is added to a connection string that does not say otherwise: a host that is silent must not hold a start for minutes,
/// and whoever looks at the sessions of the database should see whose they are.
/// A host that vanishes without a word is given up in seconds, not in the quarter of an hour that the system would take: every
/// thread that waits for an answer has to find the host that took over.
const PARAMETERS: [(&str, &str); 6] = [
    ("connect_timeout", "5"),
    ("tcp_user_timeout", "5000"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
    ("fallback_application_name", "belay"),
];

/// Catches what libpq would answer with words that nobody understands. The value itself is not repeated: it may hold a password.
fn check_url(url: &str) -> Result<(), ConfigError> {
    let known = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    if url.contains('\0') || !(known || url.contains('=')) {
        return Err(ConfigError::member(
            "database.url",
            "is not a connection string of PostgreSQL; write postgres://user:password@host:5432/database",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Database, PARAMETERS};

    #[test]
    fn parameters_fit_both_spellings_and_what_is_said_stands() {
        let database = Database::default();
        let rest = |sign: &str| {
            PARAMETERS
                .iter()
                .skip(1)
                .map(|(name, value)| format!("{sign}{name}={value}"))
                .collect::<String>()
        };
        for (url, expected) in [
            (
                "postgres://db/x",
                format!("postgres://db/x?connect_timeout=5{}", rest("&")),
            ),
            (
                "postgres://db/x?connect_timeout=60",
                format!("postgres://db/x?connect_timeout=60{}", rest("&")),
            ),
            (
                "host=db dbname=x",
                format!("host=db dbname=x connect_timeout=5{}", rest(" ")),
            ),
        ] {
            assert_eq!(database.connection(url), expected);
        }
    }
}
