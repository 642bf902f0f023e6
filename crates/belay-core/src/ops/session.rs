//! Logins of API keys through interfaces that ask for one. Locks no job.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Double, Integer, Nullable, Text};

use super::Via;
use super::tenant::{hash_key, new_token};
use crate::error::Result;
use crate::stmt::stmt;

/// A login to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Number of the API key.
    pub key: i32,
    /// The interface it is for; it works through no other.
    pub via: Via,
    /// What it may do at most; `None`: whatever the key may.
    pub scopes: Option<Vec<String>>,
    /// Time without use after which it ends, in whole seconds up to a year; `None`: never for that.
    pub idle: Option<Duration>,
    /// Time after which it ends in any case.
    pub life: Duration,
}

/// Makes a login and answers its token, which is not stored and cannot be shown again.
///
/// # Errors
/// Those of the database.
pub fn open_session(conn: &mut PgConnection, session: &NewSession) -> Result<String> {
    let token = new_token("belay_session_")?;
    let idle = session
        .idle
        .map(|idle| i32::try_from(idle.as_secs()).unwrap_or(31_536_000));
    stmt::<()>(
        "-- open_session
         insert into belay.session (hash, api_key, via, scopes, idle_s, ends_at) values ($1, $2, $3, $4, $5, now() + $6 * interval '1 s')",
    )
    .bind::<Binary, _>(hash_key(&token).to_vec())
    .bind::<Integer, _>(session.key)
    .bind::<Text, _>(session.via.as_str())
    .bind::<Nullable<Array<Text>>, _>(&session.scopes)
    .bind::<Nullable<Integer>, _>(idle)
    .bind::<Double, _>(session.life.as_secs_f64())
    .execute(conn)?;
    Ok(token)
}

/// Notes that a login is used now.
///
/// # Errors
/// Those of the database.
pub fn touch_session(conn: &mut PgConnection, id: i64) -> Result<()> {
    stmt::<()>("-- touch_session\n update belay.session set used_at = now() where id = $1 and used_at < now()")
        .bind::<BigInt, _>(id)
        .execute(conn)?;
    Ok(())
}

/// Ends a login. Answers whether there was such a one.
///
/// # Errors
/// Those of the database.
pub fn end_session(conn: &mut PgConnection, token: &str) -> Result<bool> {
    let ended = stmt::<()>("-- end_session\n delete from belay.session where hash = $1")
        .bind::<Binary, _>(hash_key(token).to_vec())
        .execute(conn)?;
    Ok(ended == 1)
}

/// Forgets logins that have ended, at most 5000 at a time; answers how many.
///
/// # Errors
/// Those of the database.
pub fn forget_sessions(conn: &mut PgConnection) -> Result<usize> {
    Ok(stmt::<()>(
        "-- forget_sessions
         delete from belay.session where id = any (array(
           select id from belay.session where ends_at < now() or used_at < now() - idle_s * interval '1 s' limit 5000))",
    )
    .execute(conn)?)
}
