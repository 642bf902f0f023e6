//! Tenants and keys.

use belay_core::model::{ApiKey, TenantRow};
use serde::Serialize;

use super::Time;

/// A tenant.
#[derive(Debug, Serialize)]
pub(crate) struct Tenant<'a> {
    id: i32,
    key: String,
    name: &'a str,
    created_at: Time,
}

impl<'a> From<&'a TenantRow> for Tenant<'a> {
    fn from(row: &'a TenantRow) -> Self {
        Self {
            id: row.id,
            key: row.key(),
            name: &row.name,
            created_at: Time(row.created_at),
        }
    }
}

/// What is known of an API key.
#[derive(Debug, Serialize)]
pub(crate) struct Key<'a> {
    /// The key itself, when it has just been made.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    id: i32,
    name: &'a str,
    scopes: &'a [String],
    tenants: Option<&'a [i32]>,
    created_at: Time,
    created_by: &'a str,
    expires_at: Option<Time>,
    revoked_at: Option<Time>,
}

impl<'a> From<&'a ApiKey> for Key<'a> {
    fn from(row: &'a ApiKey) -> Self {
        Self {
            key: None,
            id: row.id,
            name: &row.name,
            scopes: &row.scopes,
            tenants: row.tenants.as_deref(),
            created_at: Time(row.created_at),
            created_by: &row.created_by,
            expires_at: row.expires_at.map(Time),
            revoked_at: row.revoked_at.map(Time),
        }
    }
}

impl<'a> Key<'a> {
    /// With the key itself, which is shown once.
    pub(crate) fn with_secret(row: &'a ApiKey, secret: &'a str) -> Self {
        Self {
            key: Some(secret),
            ..Self::from(row)
        }
    }
}
