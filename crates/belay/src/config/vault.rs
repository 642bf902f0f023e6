//! `[vault]`: the compatibility interface of that name.

use std::time::Duration;

use serde::Deserialize;

use super::ConfigError;
use super::duration::{self, check};

/// The interface `vault`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vault {
    /// Whether running jobs can be cancelled through it. Its published form refuses them.
    pub cancel_running: bool,
    /// Time that must lie between two looks of an API key at the same job, up to an hour; zero for no limit.
    #[serde(deserialize_with = "duration::required")]
    pub status_interval: Duration,
}

impl Vault {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check(
            "vault.status_interval",
            self.status_interval,
            Duration::ZERO..=duration::seconds(3600),
        )
    }
}
