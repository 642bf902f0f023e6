//! Tenants and API keys. Locks no job.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Integer, Nullable, Text, Timestamptz};
use sha2::{Digest, Sha256};

use super::Actor;
use crate::error::{Error, Result};
use crate::stmt::stmt;

/// An API key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// 1 to 100 letters, digits and `._@-`; unique.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Numbers of the tenants it may touch; `None` for all.
    pub tenants: Option<Vec<i32>>,
    /// When it stops to work.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Makes a tenant and answers its number and creation time.
///
/// # Errors
/// [`Error::Invalid`] for a name that is not allowed; [`Error::Conflict`] for one that is taken.
pub fn create_tenant(conn: &mut PgConnection, name: &str) -> Result<(i32, DateTime<Utc>)> {
    no_nul(name)?;
    let made = stmt::<(Integer, Timestamptz)>(
        "-- create_tenant\n insert into belay.tenant (name) values ($1) returning id, created_at",
    )
    .bind::<Text, _>(name)
    .get_result(conn);
    made.map_err(|e| match named(&e) {
        Some("tenant_name") => Error::invalid(
            "name",
            format!("tenant name {name:?} is not valid: use 1 to 63 letters, digits and . _ - and begin with a letter or digit"),
        ),
        Some("tenant_name_is_no_id") => Error::invalid(
            "name",
            format!("tenant name {name:?} looks like a number or an id, which it could be taken for; put a letter before it"),
        ),
        Some("tenant_name_key") => Error::Conflict { message: format!("a tenant named {name:?} exists already") },
        _ => e.into(),
    })
}

/// Makes an API key and answers its number and the key itself, which is not stored and cannot be shown again.
///
/// # Errors
/// [`Error::Invalid`] for a name or tenant that is not allowed; [`Error::Conflict`] for a name that is taken.
pub fn create_key(conn: &mut PgConnection, key: &NewKey, actor: &Actor) -> Result<(i32, String)> {
    no_nul(&key.name)?;
    let token = new_token("belay_")?;
    let made = stmt::<Integer>(
        "-- create_key
         insert into belay.api_key (name, hash, scopes, tenants, expires_at, created_by) values ($1, $2, $3, $4, $5, $6) returning id",
    )
    .bind::<Text, _>(&key.name)
    .bind::<Binary, _>(hash_key(&token).to_vec())
    .bind::<Array<Text>, _>(&key.scopes)
    .bind::<Nullable<Array<Integer>>, _>(&key.tenants)
    .bind::<Nullable<Timestamptz>, _>(key.expires_at)
    .bind::<Text, _>(&actor.name)
    .get_result::<i32>(conn);
    match made {
        Ok(id) => Ok((id, token)),
        Err(e) => Err(match named(&e) {
            Some("api_key_name") => Error::invalid(
                "name",
                format!(
                    "key name {:?} is not valid: use 1 to 100 letters, digits and . _ @ - and begin with a letter or digit",
                    key.name
                ),
            ),
            Some("api_key_name_key") => Error::Conflict {
                message: format!("a key named {:?} exists already", key.name),
            },
            _ => e.into(),
        }),
    }
}

/// Ends a key's validity. Answers whether there was such a key.
///
/// # Errors
/// Those of the database.
pub fn revoke_key(conn: &mut PgConnection, name: &str) -> Result<bool> {
    let hit = stmt::<()>("-- revoke_key\n update belay.api_key set revoked_at = coalesce(revoked_at, now()) where name = $1")
        .bind::<Text, _>(name)
        .execute(conn)?;
    Ok(hit == 1)
}

/// A new secret: 192 random bits behind a prefix.
pub(super) fn new_token(prefix: &str) -> Result<String> {
    let mut random = [0_u8; 24];
    getrandom::fill(&mut random)
        .map_err(|e| Error::Unreachable(format!("the system gave no random numbers: {e}")))?;
    Ok(random.iter().fold(String::from(prefix), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// What is stored of a key. Keys are 192 random bits, so a plain hash is enough.
#[must_use]
pub(crate) fn hash_key(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn no_nul(name: &str) -> Result<()> {
    if name.contains('\0') {
        return Err(Error::invalid("name", "the name holds the character NUL"));
    }
    Ok(())
}

fn named(error: &diesel::result::Error) -> Option<&str> {
    match error {
        diesel::result::Error::DatabaseError(_, info) => info.constraint_name(),
        _ => None,
    }
}
