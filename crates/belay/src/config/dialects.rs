//! `[dialects]`: which compatibility interfaces are served.

use belay_api::Dialect;
use serde::Deserialize;

/// The compatibility interfaces, each on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dialects {
    /// `/v1/accounts/{accountGroupId}/prospecting`
    pub prospecting: bool,
    /// `/v1/jobs` and `/auth/tokens`
    pub jobs: bool,
    /// `/api/{version}/services/jobs`, with its logins
    pub vault: bool,
    /// `/api/actions/bulk/jobs`
    pub bulk_actions: bool,
    /// `/api/v1/ingest/jobs` and `/services/a360/token`
    pub ingest: bool,
}

impl Default for Dialects {
    fn default() -> Self {
        Self {
            prospecting: true,
            jobs: true,
            vault: true,
            bulk_actions: true,
            ingest: true,
        }
    }
}

impl Dialects {
    /// Those that are switched off.
    pub(crate) fn off(self) -> impl Iterator<Item = Dialect> {
        Dialect::ALL
            .into_iter()
            .filter(move |dialect| !match dialect {
                Dialect::Prospecting => self.prospecting,
                Dialect::Jobs => self.jobs,
                Dialect::Vault => self.vault,
                Dialect::BulkActions => self.bulk_actions,
                Dialect::Ingest => self.ingest,
            })
    }
}
