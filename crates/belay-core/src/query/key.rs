//! API keys.

use diesel::prelude::*;
use diesel::sql_types::Binary;
use subtle::ConstantTimeEq;

use crate::error::Result;
use crate::model::ApiKey;
use crate::ops;

const COLUMNS: &str =
    "id, name, hash, scopes, tenants, created_at, created_by, expires_at, revoked_at";

/// Finds the key that hashes to what is stored, revoked and expired ones included.
///
/// # Errors
/// Those of the database.
pub fn find_key(conn: &mut PgConnection, token: &str) -> Result<Option<ApiKey>> {
    let hash = ops::hash_key(token);
    let found = diesel::sql_query(format!(
        "-- find_key\n select {COLUMNS} from belay.api_key where hash = $1"
    ))
    .bind::<Binary, _>(hash.to_vec())
    .get_result::<ApiKey>(conn)
    .optional()?;
    // The index compared hashes of secrets, which tells an attacker nothing; compare once more in constant time all the same.
    Ok(found.filter(|key| bool::from(key.hash.as_slice().ct_eq(&hash))))
}

/// All keys, oldest first.
///
/// # Errors
/// Those of the database.
pub fn keys(conn: &mut PgConnection) -> Result<Vec<ApiKey>> {
    Ok(diesel::sql_query(format!(
        "-- keys\n select {COLUMNS} from belay.api_key order by id"
    ))
    .load(conn)?)
}
