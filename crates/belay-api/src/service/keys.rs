//! API keys. A key sees and revokes only keys that reach no further than itself, and makes only such.

use std::fmt;

use belay_core::model::ApiKey;
use belay_core::ops::{self, Actor, NewKey, Via};
use belay_core::{Db, Error, Result, query};

use crate::auth::Grant;

/// The keys that reach no further than the caller's.
///
/// # Errors
/// Those of the database.
pub(crate) fn list(db: &Db, grant: &Grant) -> Result<Vec<ApiKey>> {
    let mut keys = db.read(query::keys)?;
    keys.retain(|key| grant.covers(key.tenants.as_deref()));
    Ok(keys)
}

/// A tenant as somebody named it for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TenantName {
    /// By its number, and never one that happens to be called so.
    Number(i64),
    /// By its name, or by its number or 24-digit key when no tenant is called so.
    Word(String),
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => write!(f, "{word:?}"),
        }
    }
}

/// Turns names of tenants into numbers.
///
/// # Errors
/// [`Error::Invalid`] for one that does not exist, or that the caller's key may not touch, which is said in the same words.
pub(crate) fn tenants(db: &Db, grant: &Grant, names: &[TenantName]) -> Result<Vec<i32>> {
    db.read(|conn| {
        let all = query::tenants(conn)?;
        let mut numbers = Vec::with_capacity(names.len());
        for name in names {
            let found = match name {
                TenantName::Number(number) => all
                    .iter()
                    .find(|t| i64::from(t.id) == *number)
                    .map(|t| t.id),
                TenantName::Word(word) => match query::find_tenant(conn, word) {
                    Ok(tenant) => Some(tenant.id),
                    Err(Error::Missing { .. }) => None,
                    Err(error) => return Err(error),
                },
            };
            let found = found
                .filter(|tenant| grant.may_touch(*tenant))
                .ok_or_else(|| {
                    Error::invalid(
                        "tenants",
                        format!("there is no tenant {name} that this key may touch"),
                    )
                })?;
            if !numbers.contains(&found) {
                numbers.push(found);
            }
        }
        Ok(numbers)
    })
}

/// Makes a key and answers what is stored of it and the key itself, which cannot be shown again. That it reaches no further
/// than the caller's key was checked.
///
/// # Errors
/// Those of [`ops::create_key`].
pub(crate) fn create(db: &Db, grant: &Grant, via: Via, key: &NewKey) -> Result<(ApiKey, String)> {
    let actor = Actor::new(&grant.name, via);
    db.tx(|conn| {
        let (id, token) = ops::create_key(conn, key, &actor)?;
        let stored = query::keys(conn)?
            .into_iter()
            .find(|stored| stored.id == id)
            .ok_or_else(|| Error::missing(format!("key {:?}", key.name)))?;
        Ok((stored, token))
    })
}

/// Revokes a key that reaches no further than the caller's.
///
/// # Errors
/// [`Error::Missing`], also for a key that reaches further.
pub(crate) fn revoke(db: &Db, grant: &Grant, name: &str) -> Result<()> {
    let missing = || Error::missing(format!("key {name:?}"));
    db.tx(|conn| {
        let key = query::keys(conn)?.into_iter().find(|key| key.name == name);
        if !key.is_some_and(|key| grant.covers(key.tenants.as_deref())) {
            return Err(missing());
        }
        if ops::revoke_key(conn, name)? {
            Ok(())
        } else {
            Err(missing())
        }
    })
}
