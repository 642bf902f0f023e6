//! Logins.

use diesel::prelude::*;
use diesel::sql_types::Binary;

use crate::error::Result;
use crate::model::SessionRow;
use crate::ops;

/// Finds the login that has this token and has not ended, with its API key, which may be revoked or expired.
///
/// # Errors
/// Those of the database.
pub fn find_session(conn: &mut PgConnection, token: &str) -> Result<Option<SessionRow>> {
    Ok(diesel::sql_query(
        "-- find_session
         select s.id as session_id, s.via as session_via, s.scopes as session_scopes, s.ends_at as session_ends_at,
           k.id, k.name, k.hash, k.scopes, k.tenants, k.created_at, k.created_by, k.expires_at, k.revoked_at
         from belay.session s join belay.api_key k on k.id = s.api_key
         where s.hash = $1 and s.ends_at > now() and (s.idle_s is null or s.used_at > now() - s.idle_s * interval '1 s')",
    )
    .bind::<Binary, _>(ops::hash_key(token).to_vec())
    .get_result::<SessionRow>(conn)
    .optional()?)
}
