//! What can be set of the dialects.

use std::time::Duration;

/// One of the compatibility interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `/v1/accounts/{accountGroupId}/prospecting`
    Prospecting,
    /// `/v1/jobs` and `/auth/tokens`
    Jobs,
    /// `/api/{version}/services/jobs`, with its logins
    Vault,
    /// `/api/actions/bulk/jobs`
    BulkActions,
    /// `/api/v1/ingest/jobs` and `/services/a360/token`
    Ingest,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Prospecting,
        Self::Jobs,
        Self::Vault,
        Self::BulkActions,
        Self::Ingest,
    ];
}

/// What was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DialectSettings {
    /// Switched off.
    pub(crate) off: Vec<Dialect>,
    /// Whether running jobs can be cancelled through `vault`.
    pub(crate) vault_cancel_running: bool,
    /// Time between two looks at the same job through `vault`; zero for no limit.
    pub(crate) vault_status_interval: Duration,
    /// Most bytes of one file that is uploaded through `ingest`.
    pub(crate) ingest_file_limit: usize,
}

impl Default for DialectSettings {
    fn default() -> Self {
        Self {
            off: Vec::new(),
            vault_cancel_running: false,
            vault_status_interval: Duration::ZERO,
            ingest_file_limit: 150_000_000,
        }
    }
}

impl DialectSettings {
    pub(crate) fn is_on(&self, dialect: Dialect) -> bool {
        !self.off.contains(&dialect)
    }
}
