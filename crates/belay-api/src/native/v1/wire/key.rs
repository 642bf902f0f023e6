//! API keys, without the keys.

use belay_core::model::ApiKey;
use serde::Serialize;
use utoipa::ToSchema;

use super::ScopeName;
use crate::time::Time;

/// API keys, oldest first, revoked and expired ones included.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Keys {
    pub(crate) keys: Vec<Key>,
}

/// What is known of an API key. The key itself is not stored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": 2, "name": "billing", "scopes": ["read", "write"], "tenants": [1], "created_at": "2026-12-01T06:00:00.000Z",
    "created_by": "admin", "expires_at": null, "revoked_at": null
}))]
pub(crate) struct Key {
    id: i32,
    name: String,
    /// What it may do.
    #[schema(value_type = Vec<ScopeName>)]
    scopes: Vec<String>,
    /// Numbers of the tenants it may touch; `null` for all.
    tenants: Option<Vec<i32>>,
    created_at: Time,
    /// Who made it.
    created_by: String,
    /// When it stops to work.
    expires_at: Option<Time>,
    /// When it was revoked.
    revoked_at: Option<Time>,
}

impl From<ApiKey> for Key {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            scopes: key.scopes,
            tenants: key.tenants,
            created_at: Time(key.created_at),
            created_by: key.created_by,
            expires_at: key.expires_at.map(Time),
            revoked_at: key.revoked_at.map(Time),
        }
    }
}

/// A new API key, shown this one time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewKey {
    /// The key itself, for the header `Authorization: Bearer`. It is not stored and cannot be shown again.
    #[schema(example = "belay_8f2c...")]
    pub(crate) key: String,
    #[serde(flatten)]
    pub(crate) about: Key,
}
