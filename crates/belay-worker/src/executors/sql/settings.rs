//! What an operator sets for a kind of job that runs a statement.

use std::ffi::CString;
use std::fmt;
use std::time::Duration;

use thiserror::Error;

use super::libpq::is_connection_string;
use super::params::Source;
use super::statement;

/// Settings of one kind. [`SqlSettings::new`] fills in the defaults.
#[derive(Clone, PartialEq, Eq)]
pub struct SqlSettings {
    /// Connection string, as libpq takes it. The role that it logs in as runs the statement; it must be another one than Belay's,
    /// and no superuser.
    pub database_url: String,
    /// The one statement, with `$1`, `$2`, .. for `params`. All of them are of the type `text`; a statement casts them: `$1::bigint`.
    pub statement: String,
    /// Where the parameters are in the payload: a member of it (`amount`), a JSON pointer (`/customer/id`), or an empty text for the
    /// whole payload. A job without that member fails without a retry, unless a `?` stands in front: then it is NULL. A JSON null is
    /// always NULL. Arrays and objects are bound as JSON.
    pub params: Vec<String>,
    /// How long the server lets a command run, 1 ms to 7 days. `None`: as the role has it; the timeout of the attempt counts anyway.
    pub statement_timeout: Option<Duration>,
    /// How long the statement waits for one lock, 1 ms to 7 days. `None`: as the role has it.
    pub lock_timeout: Option<Duration>,
    /// Time between cancelling the statement and ending its session, 0 s to 7 days; 10 s by default.
    pub grace: Duration,
}

impl fmt::Debug for SqlSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The connection string may hold a password.
        f.debug_struct("SqlSettings")
            .field("statement", &self.statement)
            .field("params", &self.params)
            .field("statement_timeout", &self.statement_timeout)
            .field("lock_timeout", &self.lock_timeout)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

impl SqlSettings {
    /// Longest accepted time.
    pub const MAX_TIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// Settings that run `statement` with the defaults for everything else.
    #[must_use]
    pub fn new(database_url: impl Into<String>, statement: impl Into<String>) -> Self {
        Self {
            database_url: database_url.into(),
            statement: statement.into(),
            params: Vec::new(),
            statement_timeout: None,
            lock_timeout: None,
            grace: Duration::from_secs(10),
        }
    }
}

/// Why settings were refused. Never repeats the connection string.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{member}` {message}")]
pub struct SettingsError {
    /// The setting.
    pub member: &'static str,
    /// What is wrong with it.
    pub message: String,
}

/// Settings that were checked.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) url: Secret,
    pub(super) statement: CString,
    pub(super) sources: Vec<Source>,
    /// Milliseconds.
    pub(super) statement_timeout: Option<u128>,
    /// Milliseconds.
    pub(super) lock_timeout: Option<u128>,
    pub(super) grace: Duration,
}

/// A connection string, which nobody prints.
pub(super) struct Secret(pub(super) CString);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("...")
    }
}

impl SqlSettings {
    pub(super) fn check(self) -> Result<Ready, SettingsError> {
        let wrong = |member, message: String| SettingsError { member, message };
        if !is_connection_string(&self.database_url) {
            return Err(wrong(
                "database_url",
                "is not a connection string of PostgreSQL; write postgres://user:password@host:5432/database".into(),
            ));
        }
        let facts =
            statement::check(&self.statement).map_err(|message| wrong("statement", message))?;
        let sources = self
            .params
            .iter()
            .map(|text| Source::parse(text))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|message| wrong("params", format!("cannot be read: {message}")))?;
        if facts.params != sources.len() {
            return Err(wrong(
                "params",
                format!(
                    "has {} entries, but the statement uses the parameters up to ${}; each $n needs one",
                    sources.len(),
                    facts.params
                ),
            ));
        }
        let times = [
            ("statement_timeout", self.statement_timeout),
            ("lock_timeout", self.lock_timeout),
        ];
        for (member, time) in times {
            if time.is_some_and(|t| t < Duration::from_millis(1) || t > Self::MAX_TIME) {
                return Err(wrong(
                    member,
                    "is out of range; it must be from 1ms to 7 days".into(),
                ));
            }
        }
        if self.grace > Self::MAX_TIME {
            return Err(wrong("grace", "is longer than 7 days".into()));
        }
        let text = |member, value: String| {
            CString::new(value).map_err(|_| wrong(member, "contains a NUL character".into()))
        };
        Ok(Ready {
            url: Secret(text("database_url", self.database_url)?),
            statement: text("statement", self.statement)?,
            sources,
            statement_timeout: self.statement_timeout.map(|t| t.as_millis()),
            lock_timeout: self.lock_timeout.map(|t| t.as_millis()),
            grace: self.grace,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: fn(&mut SqlSettings)) -> &'static str {
        let mut settings = SqlSettings::new("postgres://me:hunter2@db/x", "select 1");
        change(&mut settings);
        let error = settings.check().unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        error.member
    }

    #[test]
    fn each_setting_is_checked() {
        for url in [
            "postgres://me:hunter2@db/x?hunter2=1",
            "host=db hunter2",
            "a\0=b",
        ] {
            let mut settings = SqlSettings::new(url, "select 1");
            settings.params.clear();
            let error = settings.check().unwrap_err();
            assert_eq!(error.member, "database_url", "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert_eq!(
            refused(|s| s.statement = "drop table t".into()),
            "statement"
        );
        assert_eq!(refused(|s| s.params = vec!["a".into()]), "params");
        assert_eq!(refused(|s| s.statement = "select $1".into()), "params");
        assert_eq!(refused(|s| s.params = vec!["/~".into()]), "params");
        assert_eq!(refused(|s| s.grace = Duration::MAX), "grace");
        assert_eq!(
            refused(|s| s.lock_timeout = Some(Duration::ZERO)),
            "lock_timeout"
        );
        assert_eq!(
            refused(|s| s.statement_timeout = Some(Duration::MAX)),
            "statement_timeout"
        );
    }

    #[test]
    fn the_connection_string_is_not_printed() {
        let settings = SqlSettings::new("postgres://me:hunter2@db/x", "select 1");
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert!(!format!("{:?}", settings.check().unwrap()).contains("hunter2"));
    }
}
