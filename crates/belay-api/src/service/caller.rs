//! Who asks.

use std::sync::Arc;

use belay_core::ops::{Actor, Via};

use crate::auth::Grant;

/// Who asks, on which tenant, through which interface. The tenant is one that the key may touch.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) grant: Arc<Grant>,
    pub(crate) tenant: i32,
    pub(crate) via: Via,
}

impl Caller {
    /// Whether jobs whose content was deleted are no more for the caller's interface, where such a deletion means that; see
    /// [`belay_core::query::is_gone`].
    pub(crate) fn forgets(&self) -> bool {
        match self.via {
            Via::Sql | Via::Native | Via::Cli | Via::Daemon | Via::Worker => false,
            Via::Prospecting | Via::Jobs | Via::Vault | Via::BulkActions | Via::Ingest => true,
        }
    }

    /// The name that goes on record: that of the API key.
    pub(crate) fn actor(&self) -> Actor {
        Actor::new(&self.grant.name, self.via)
    }
}
