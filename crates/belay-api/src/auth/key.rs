//! From the `Authorization` header to a [`Grant`]: of an API key, or of a login with one.
//!
//! A key that worked is remembered for a few seconds by its hash, so that a busy client does not cost a query per request.
//! What was not found is not remembered: it would let anybody fill the memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use belay_core::ops::{self, Via};
use belay_core::query;
use chrono::Utc;
use sha2::{Digest, Sha256};

use super::Grant;
use crate::blocking;
use crate::http::Fault;
use crate::state::Inner;

/// A revoked key stops to work everywhere within this time; on the node that revoked it at once.
const REMEMBER: Duration = Duration::from_secs(3);
const _: () = assert!(
    REMEMBER.as_secs() < 5,
    "the documentation promises 5 seconds"
);
/// Keys remembered at once.
const MOST: usize = 10_000;
/// No key is longer.
const LONGEST: usize = 200;

/// What the tokens of logins begin with.
const SESSION: &str = "belay_session_";

const NOT_KNOWN: &str = "this API key is not known; check that it was copied whole";

type Hash = [u8; 32];

/// What a grant is remembered under: a key, or a login through one interface.
type Name = (Hash, Option<Via>);

/// Keys that worked a moment ago.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    known: Mutex<HashMap<Name, (Instant, Arc<Grant>)>>,
}

impl KeyCache {
    fn get(&self, name: &Name) -> Option<Arc<Grant>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, grant) = known.get(name)?;
        (since.elapsed() < REMEMBER).then(|| Arc::clone(grant))
    }

    /// `since` is when the question was asked, not when it was answered: the key may have been revoked in between.
    fn put(&self, name: Name, since: Instant, grant: Arc<Grant>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (since, _)| since.elapsed() < REMEMBER);
        }
        if known.len() < MOST {
            known.insert(name, (since, grant));
        }
    }

    /// Forgets all keys, because one was revoked.
    pub(crate) fn clear(&self) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Finds out whose request this is. `token` is an API key, or a login through the interface `via`.
pub(crate) async fn authenticate(
    api: &Arc<Inner>,
    token: &str,
    via: Via,
) -> Result<Arc<Grant>, Fault> {
    let is_session = token.starts_with(SESSION);
    let hash: Hash = Sha256::digest(token.as_bytes()).into();
    let name = (hash, is_session.then_some(via));
    let now = Utc::now();
    if let Some(grant) = api.keys.get(&name) {
        grant.check_time(now)?;
        return Ok(grant);
    }
    let asked = Instant::now();
    let token = token.to_owned();
    let grant = if is_session {
        let found = blocking::database(api, move |db| {
            let found = db.read(|c| query::find_session(c, &token))?;
            let found = found.filter(|session| session.via == via.as_str());
            if let Some(session) = &found {
                // Remembered logins do not come here, so this is written once every few seconds at most.
                db.tx(|c| ops::touch_session(c, session.id))?;
            }
            Ok(found)
        });
        let session = found
            .await?
            .ok_or_else(|| Fault::unauthenticated("this login has ended; log in again", true))?;
        Grant::of_session(session, now)?
    } else {
        let key = blocking::database(api, move |db| db.read(|c| query::find_key(c, &token)));
        let key = key
            .await?
            .ok_or_else(|| Fault::unauthenticated(NOT_KNOWN, true))?;
        Grant::new(key, now)?
    };
    let grant = Arc::new(grant);
    api.keys.put(name, asked, Arc::clone(&grant));
    Ok(grant)
}

/// The token in `Authorization: Bearer ...`.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<String, Fault> {
    let value = the_only(headers)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => checked(token.trim()),
        _ => Err(Fault::unauthenticated(
            "the header Authorization must be given once, as `Bearer belay_...`",
            true,
        )),
    }
}

/// The token in `Authorization`, with or without the word `Bearer` before it.
pub(crate) fn bare_or_bearer(headers: &HeaderMap) -> Result<String, Fault> {
    let value = the_only(headers)?.trim();
    match value.split_once(' ') {
        None => checked(value),
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => checked(token.trim()),
        Some(_) => Err(Fault::unauthenticated(
            "the header Authorization must hold the session id, alone or as `Bearer ...`",
            true,
        )),
    }
}

fn the_only(headers: &HeaderMap) -> Result<&str, Fault> {
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else {
        return Err(Fault::unauthenticated(
            "an API key is needed: send it in the header `Authorization: Bearer belay_...`",
            false,
        ));
    };
    match (value.to_str(), values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(Fault::unauthenticated(
            "the header Authorization must be given once, as `Bearer belay_...`",
            true,
        )),
    }
}

/// Saves the database from what cannot be a token.
fn checked(token: &str) -> Result<String, Fault> {
    if token.len() > LONGEST || !token.starts_with("belay_") {
        return Err(Fault::unauthenticated(NOT_KNOWN, true));
    }
    Ok(token.to_owned())
}
