//! On whose jobs a request acts.
//!
//! A key for one tenant acts on that one. Any other key acts on the tenant that the header `Belay-Tenant` or the parameter
//! `tenant` names (by name, number or 24-digit key), or on the tenant `default`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::header::HeaderMap;
use belay_core::id::JobRef;
use belay_core::{Error, query};

use super::Grant;
use crate::blocking;
use crate::http::Fault;
use crate::state::Inner;

const HEADER: &str = "Belay-Tenant";
const DEFAULT: &str = "default";
/// Spellings remembered at once.
const MOST: usize = 10_000;

/// Numbers of tenants by what they were called. Tenants are never renamed and never end, so this never grows stale.
#[derive(Debug, Default)]
pub(crate) struct TenantCache {
    known: Mutex<HashMap<String, i32>>,
}

impl TenantCache {
    fn get(&self, word: &str) -> Option<i32> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(word).copied()
    }

    fn put(&self, word: String, tenant: i32) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST {
            known.insert(word, tenant);
        }
    }
}

/// Chooses the tenant of a request. `parameter` is what the query string says.
pub(crate) async fn choose(
    api: &Arc<Inner>,
    headers: &HeaderMap,
    parameter: Option<&str>,
    grant: &Grant,
) -> Result<i32, Fault> {
    if let Some(word) = named(headers, parameter)? {
        return match find(api, word).await? {
            Some(tenant) if grant.may_touch(tenant) => Ok(tenant),
            // Whoever may touch everything learns nothing from the truth.
            None if grant.tenants.is_none() => {
                Err(Error::missing(format!("tenant {word:?}")).into())
            }
            // The same for a tenant of somebody else and for none at all.
            _ => Err(Fault::forbidden(format!(
                "this API key may not touch the tenant {word:?}"
            ))),
        };
    }
    match grant.tenants.as_deref() {
        Some([]) => Err(Fault::forbidden("this API key may touch no tenant")),
        Some([only]) => Ok(*only),
        _ => find(api, DEFAULT)
            .await?
            .filter(|tenant| grant.may_touch(*tenant))
            .ok_or_else(|| {
                Fault::malformed(format!(
                    "this API key may touch several tenants: name one in the header {HEADER} or the parameter tenant, by its name, \
                     number or 24-digit key"
                ))
                .field(HEADER)
            }),
    }
}

/// The tenant that an id names, as a number or as a 24-digit key, for a key that may touch it. A tenant of somebody else and none
/// at all are refused alike.
pub(crate) async fn by_id(api: &Arc<Inner>, id: JobRef, grant: &Grant) -> Result<i32, Fault> {
    let found = blocking::database(api, move |db| {
        match db.read(|c| query::tenant_by_id(c, &id)) {
            Ok(tenant) => Ok(Some(tenant.id)),
            Err(Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    });
    found
        .await?
        .filter(|tenant| grant.may_touch(*tenant))
        .ok_or_else(|| Fault::forbidden("this API key has no access to that account"))
}

fn named<'a>(headers: &'a HeaderMap, parameter: Option<&'a str>) -> Result<Option<&'a str>, Fault> {
    let mut values = headers.get_all(HEADER);
    let header = match (values.next(), values.next()) {
        (None, _) => None,
        (Some(value), None) => Some(value.to_str().unwrap_or_default().trim()),
        (Some(_), Some(_)) => Some(""),
    };
    let word = match (header, parameter) {
        (Some(a), Some(b)) if a != b => {
            return Err(Fault::malformed(format!(
                "the header {HEADER} and the parameter tenant name different tenants"
            ))
            .field(HEADER));
        }
        (a, b) => a.or(b),
    };
    match word {
        Some("") => Err(Fault::malformed(format!(
            "the header {HEADER} or the parameter tenant must name one tenant"
        ))
        .field(HEADER)),
        word => Ok(word),
    }
}

async fn find(api: &Arc<Inner>, word: &str) -> Result<Option<i32>, Fault> {
    if let Some(tenant) = api.tenants.get(word) {
        return Ok(Some(tenant));
    }
    // Names have at most 63 characters, and a number or a key fewer.
    if word.len() > 63 {
        return Ok(None);
    }
    let asked = word.to_owned();
    let found = blocking::database(api, move |db| {
        match db.read(|c| query::find_tenant(c, &asked)) {
            Ok(tenant) => Ok(Some(tenant.id)),
            Err(Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    })
    .await?;
    if let Some(tenant) = found {
        api.tenants.put(word.to_owned(), tenant);
    }
    Ok(found)
}
