//! Settings of kinds that run a statement: `executor = "sql"`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use belay_worker::executors::Executor;
use belay_worker::executors::sql::{SqlExecutor, SqlSettings};
use serde::Deserialize;

use super::super::duration;
use super::Refused;

/// Members that only this executor has.
#[derive(PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sql {
    /// Where the statement runs, and as which role.
    database_url: Url,
    /// The one statement.
    statement: String,
    /// Where its parameters are in the payload.
    #[serde(default)]
    params: Vec<String>,
    /// How long the server lets it run, 1 ms to 7 days.
    #[serde(default, deserialize_with = "duration::optional")]
    statement_timeout: Option<Duration>,
    /// How long it waits for one lock, 1 ms to 7 days.
    #[serde(default, deserialize_with = "duration::optional")]
    lock_timeout: Option<Duration>,
    /// Time between cancelling it and ending its session, up to 7 days.
    #[serde(default = "grace", deserialize_with = "duration::required")]
    grace: Duration,
}

/// A connection string, or where it is.
#[derive(PartialEq, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "expected a connection string in quotes, or { env = \"NAME\" } or { file = \"PATH\" } for a variable of the environment, or a file, that holds one"
)]
enum Url {
    Text(String),
    Variable { env: String },
    File { file: PathBuf },
}

/// The default of the executor.
fn grace() -> Duration {
    SqlSettings::new("", "").grace
}

impl std::fmt::Debug for Sql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The connection string may hold a password.
        f.debug_struct("Sql").finish_non_exhaustive()
    }
}

impl Sql {
    pub(super) fn executor(self) -> Result<Arc<dyn Executor>, Refused> {
        let url = self.url()?;
        let mut settings = SqlSettings::new(url, self.statement);
        settings.params = self.params;
        settings.statement_timeout = self.statement_timeout;
        settings.lock_timeout = self.lock_timeout;
        settings.grace = self.grace;
        let executor = SqlExecutor::new(settings)
            .map_err(|error| Refused::new(error.member, error.to_string()))?;
        Ok(Arc::new(executor))
    }

    fn url(&self) -> Result<String, Refused> {
        let refused = |message: String| Refused::new("database_url", message);
        match &self.database_url {
            Url::Text(text) => Ok(text.clone()),
            Url::Variable { env } => std::env::var(env)
                .ok()
                .filter(|text| !text.is_empty())
                .ok_or_else(|| {
                    refused(format!(
                        "the variable {env} is not set in the environment of the daemon"
                    ))
                }),
            Url::File { file } => std::fs::read_to_string(file)
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                .map_err(|error| refused(format!("cannot read {}: {error}", file.display()))),
        }
    }
}
