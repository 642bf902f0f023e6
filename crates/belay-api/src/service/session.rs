//! Logging in with the name of an API key and the key.

use std::time::Duration;

use belay_core::ops::{self, NewSession, Via};
use belay_core::{Db, Result, query};
use chrono::Utc;
use subtle::ConstantTimeEq;

use crate::auth::{Grant, Scope};

/// What the API key allows that has this name; `None` when there is no such key, or it does not work any more.
///
/// # Errors
/// Those of the database.
pub(crate) fn check(db: &Db, name: Option<&str>, key: &str) -> Result<Option<Grant>> {
    let found = db.read(|conn| query::find_key(conn, key))?;
    let grant = found.and_then(|found| Grant::new(found, Utc::now()).ok());
    Ok(grant.filter(|grant| {
        name.is_none_or(|name| bool::from(name.as_bytes().ct_eq(grant.name.as_bytes())))
    }))
}

/// Makes a login and answers its token. `scopes` are what it may do at most.
///
/// # Errors
/// Those of the database.
pub(crate) fn open(
    db: &Db,
    grant: &Grant,
    via: Via,
    scopes: Option<&[Scope]>,
    idle: Option<Duration>,
    life: Duration,
) -> Result<String> {
    let session = NewSession {
        key: grant.key,
        via,
        scopes: scopes.map(|list| list.iter().map(ToString::to_string).collect()),
        idle,
        life,
    };
    db.tx(|conn| ops::open_session(conn, &session))
}

/// Notes that a login is used now.
///
/// # Errors
/// Those of the database.
pub(crate) fn touch(db: &Db, session: i64) -> Result<()> {
    db.tx(|conn| ops::touch_session(conn, session))
}

/// Ends a login. Answers whether there was such a one.
///
/// # Errors
/// Those of the database.
pub(crate) fn end(db: &Db, token: &str) -> Result<bool> {
    db.tx(|conn| ops::end_session(conn, token))
}
