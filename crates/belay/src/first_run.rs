//! The first start on a database: the first key.

use std::io;
use std::path::Path;

use belay_core::model::ApiKey;
use belay_core::ops::{self, Actor, NewKey, Via};
use belay_core::{Db, Error, query};

use crate::files;

/// What became of the first key.
#[derive(Debug)]
pub(crate) enum FirstKey {
    /// There are keys already.
    NotNeeded,
    /// It was made and written down.
    Made,
    /// It could not be written down, so it was not made.
    NotWritten(io::Error),
}

/// Makes a key that may do everything and writes it to `path`, unless the database has a key already, be it a revoked one: then
/// somebody has taken charge of the keys.
///
/// # Errors
/// Those of the database.
pub(crate) fn ensure_key(db: &Db, path: &Path) -> Result<FirstKey, Error> {
    let mut not_written = None;
    let made = db.tx(|conn| {
        if !query::keys(conn)?.is_empty() {
            return Ok(false);
        }
        let key = NewKey {
            name: "admin".into(),
            scopes: vec![belay_api::Scope::Admin.to_string()],
            tenants: None,
            expires_at: None,
        };
        let actor = Actor::new("first start", Via::Daemon);
        let (_, secret) = ops::create_key(conn, &key, &actor)?;
        // Before the commit: a key that nobody can know must not exist.
        files::write_private(path, &secret).map_err(|error| {
            not_written = Some(error);
            Error::missing("place for the first key")
        })?;
        Ok(true)
    });
    if let Some(error) = not_written {
        return Ok(FirstKey::NotWritten(error));
    }
    match made {
        Ok(true) => Ok(FirstKey::Made),
        // Another node was faster.
        Ok(false) | Err(Error::Conflict { .. }) => Ok(FirstKey::NotNeeded),
        Err(error) => Err(error),
    }
}

/// Whether some key works now.
///
/// # Errors
/// Those of the database.
pub(crate) fn has_valid_key(db: &Db) -> Result<bool, Error> {
    db.read(|conn| {
        let now = query::now(conn)?;
        Ok(query::keys(conn)?
            .iter()
            .any(|key: &ApiKey| key.is_valid(now)))
    })
}
