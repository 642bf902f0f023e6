//! From the `Authorization` header to a [`Grant`].
//!
//! A key that worked is remembered for a few seconds by its hash, so that a busy client does not cost a query per request.
//! What was not found is not remembered: it would let anybody fill the memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
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

const NOT_KNOWN: &str = "this API key is not known; check that it was copied whole";

type Hash = [u8; 32];

/// Keys that worked a moment ago.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    known: Mutex<HashMap<Hash, (Instant, Arc<Grant>)>>,
}

impl KeyCache {
    fn get(&self, hash: &Hash) -> Option<Arc<Grant>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, grant) = known.get(hash)?;
        (since.elapsed() < REMEMBER).then(|| Arc::clone(grant))
    }

    /// `since` is when the question was asked, not when it was answered: the key may have been revoked in between.
    fn put(&self, hash: Hash, since: Instant, grant: Arc<Grant>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (since, _)| since.elapsed() < REMEMBER);
        }
        if known.len() < MOST {
            known.insert(hash, (since, grant));
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

/// Finds out whose request this is.
pub(crate) async fn authenticate(
    api: &Arc<Inner>,
    headers: &HeaderMap,
) -> Result<Arc<Grant>, Fault> {
    let token = bearer(headers)?;
    let hash: Hash = Sha256::digest(token.as_bytes()).into();
    let now = Utc::now();
    if let Some(grant) = api.keys.get(&hash) {
        grant.check_time(now)?;
        return Ok(grant);
    }
    let asked = Instant::now();
    let key = blocking::database(api, move |db| db.read(|c| query::find_key(c, &token))).await?;
    let key = key.ok_or_else(|| Fault::unauthenticated(NOT_KNOWN, true))?;
    let grant = Arc::new(Grant::new(key, now)?);
    api.keys.put(hash, asked, Arc::clone(&grant));
    Ok(grant)
}

fn bearer(headers: &HeaderMap) -> Result<String, Fault> {
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else {
        return Err(Fault::unauthenticated(
            "an API key is needed: send it in the header `Authorization: Bearer belay_...`",
            false,
        ));
    };
    let words = value.to_str().ok().and_then(|text| text.split_once(' '));
    match (words, values.next()) {
        (Some((scheme, token)), None) if scheme.eq_ignore_ascii_case("bearer") => {
            let token = token.trim();
            if token.len() > LONGEST || !token.starts_with("belay_") {
                return Err(Fault::unauthenticated(NOT_KNOWN, true));
            }
            Ok(token.to_owned())
        }
        _ => Err(Fault::unauthenticated(
            "the header Authorization must be given once, as `Bearer belay_...`",
            true,
        )),
    }
}
