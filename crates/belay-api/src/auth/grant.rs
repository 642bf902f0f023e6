//! What a known API key may do.

use belay_core::model::{ApiKey, SessionRow};
use chrono::{DateTime, Utc};

use super::{Scope, Scopes};
use crate::http::Fault;

/// An API key that was found and worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Number of the key.
    pub(crate) key: i32,
    /// Number of the login, when it is one and not the key itself.
    pub(crate) session: Option<i64>,
    /// Name of the key: the actor on record.
    pub(crate) name: String,
    pub(crate) scopes: Scopes,
    /// Tenants it may touch; `None` for all.
    pub(crate) tenants: Option<Vec<i32>>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

impl Grant {
    /// Refuses a key that was revoked or has expired, and says which.
    pub(crate) fn new(key: ApiKey, now: DateTime<Utc>) -> Result<Self, Fault> {
        if key.revoked_at.is_some() {
            return Err(Fault::unauthenticated(
                "this API key has been revoked; ask for a new one",
                true,
            ));
        }
        let grant = Self {
            key: key.id,
            session: None,
            scopes: Scopes::stored(&key.scopes),
            name: key.name,
            tenants: key.tenants,
            expires_at: key.expires_at,
        };
        grant.check_time(now)?;
        Ok(grant)
    }

    /// What a login allows: no more than its key does.
    pub(crate) fn of_session(session: SessionRow, now: DateTime<Utc>) -> Result<Self, Fault> {
        let mut grant = Self::new(session.key, now)?;
        grant.session = Some(session.id);
        if let Some(scopes) = session.scopes {
            grant.scopes = grant.scopes.at_most(&Scopes::stored(&scopes));
        }
        grant.expires_at = Some(
            grant
                .expires_at
                .map_or(session.ends_at, |end| end.min(session.ends_at)),
        );
        Ok(grant)
    }

    /// Refuses a key that has expired.
    pub(crate) fn check_time(&self, now: DateTime<Utc>) -> Result<(), Fault> {
        match self.expires_at {
            Some(end) if end <= now => Err(Fault::unauthenticated(
                "this API key has expired; ask for a new one",
                true,
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a key without that scope.
    pub(crate) fn require(&self, scope: Scope) -> Result<(), Fault> {
        if self.scopes.allow(scope) {
            return Ok(());
        }
        Err(Fault::forbidden(format!(
            "this needs an API key with the scope {scope}, which this key does not have"
        )))
    }

    /// Whether the key may act on a tenant.
    pub(crate) fn may_touch(&self, tenant: i32) -> bool {
        self.tenants
            .as_ref()
            .is_none_or(|list| list.contains(&tenant))
    }

    /// Whether the key may act on everything another key with these tenants could act on.
    pub(crate) fn covers(&self, tenants: Option<&[i32]>) -> bool {
        match (&self.tenants, tenants) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(theirs)) => theirs.iter().all(|tenant| own.contains(tenant)),
        }
    }
}
