//! `[vault]`: the compatibility interface of that name.

use serde::Deserialize;

/// The interface `vault`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vault {
    /// Whether running jobs can be cancelled through it. Its published form refuses them.
    pub cancel_running: bool,
}
