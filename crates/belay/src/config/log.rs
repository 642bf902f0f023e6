//! `[log]`: what the daemon says on standard error.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::ConfigError;

/// The log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// What is logged (`BELAY_LOG`): a level, or levels by module, `info,belay_worker=debug`.
    pub filter: String,
    /// How it is written.
    pub format: Format,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON object per line, for programs.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "info".into(),
            format: Format::Text,
        }
    }
}

impl Log {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.filter().map(|_| ())
    }

    pub(crate) fn filter(&self) -> Result<EnvFilter, ConfigError> {
        EnvFilter::try_new(&self.filter).map_err(|error| {
            ConfigError::member(
                "log.filter",
                format!(
                    "{:?} is not a log filter: {error}; write for example \"info\" or \"info,belay_worker=debug\"",
                    self.filter
                ),
            )
        })
    }
}
