//! `POST /belay/v1/keys`

use std::sync::Arc;

use actix_web::http::{Method, StatusCode};
use belay_core::ops::NewKey;
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::auth::{Grant, Scope};
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb, json, shorten};
use crate::native::Problem;
use crate::native::v1::wire;
use crate::service;
use crate::service::keys::TenantName;

/// Most tenants named for one key.
const MOST_TENANTS: usize = 10_000;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Admin, |call| {
        Box::pin(create_key(call))
    })
}

/// An API key to be made.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"name": "billing", "scopes": ["read", "write"], "tenants": ["default"]}))]
pub(crate) struct KeyRequest {
    /// 1 to 100 letters, digits and `._@-`; goes on record with whatever the key does.
    name: String,
    /// What it may do; at least one.
    #[schema(value_type = Vec<wire::ScopeName>)]
    scopes: Vec<Scope>,
    /// The tenants it may touch, each by name, number or 24-digit key; or the word `all`.
    #[schema(value_type = wire::TenantNames)]
    tenants: Tenants,
    /// When it stops to work; never when left out. Not later than the key that makes it.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Debug)]
enum Tenants {
    All,
    Some(Vec<TenantName>),
}

impl KeyRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        Ok(Self {
            name: members.needed_text("name")?,
            scopes: scopes(members)?,
            tenants: tenants(members)?,
            expires_at: members.time("expires_at")?,
        })
    }
}

fn scopes(members: &mut Members<'_>) -> Result<Vec<Scope>, Fault> {
    let list = members.needed_list("scopes", Scope::ALL.len())?;
    if list.is_empty() {
        return Err(Fault::invalid(
            "scopes",
            "scopes is empty; a key without a scope can do nothing",
        ));
    }
    let mut scopes = Vec::with_capacity(list.len());
    for raw in list {
        let word: String = text(raw, "scopes")?;
        let scope = word
            .parse()
            .map_err(|e: crate::auth::scope::UnknownScope| {
                Fault::invalid("scopes", e.to_string())
            })?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

fn tenants(members: &mut Members<'_>) -> Result<Tenants, Fault> {
    let wrong = || {
        Fault::invalid(
            "tenants",
            "tenants must say which tenants the key may touch: a list of names, numbers or 24-digit keys, or the word \"all\"",
        )
    };
    let raw = members.raw("tenants").ok_or_else(wrong)?;
    if raw.get() == "\"all\"" {
        return Ok(Tenants::All);
    }
    let list: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
    if list.is_empty() || list.len() > MOST_TENANTS {
        return Err(wrong());
    }
    let names = list
        .into_iter()
        .map(|raw| match raw.get().parse() {
            Ok(number) => Ok(TenantName::Number(number)),
            Err(_) => text(raw, "tenants").map(TenantName::Word),
        })
        .collect::<Result<_, _>>()?;
    Ok(Tenants::Some(names))
}

fn text(raw: &RawValue, field: &str) -> Result<String, Fault> {
    serde_json::from_str(raw.get()).map_err(|_| {
        Fault::invalid(
            field,
            format!(
                "{field} holds {}, which is not a string",
                shorten(raw.get())
            ),
        )
    })
}

/// Make an API key
///
/// It may do no more than the key that makes it, on no other tenants and no longer.
#[utoipa::path(
    post, path = "/belay/v1/keys", tag = "admin",
    request_body = KeyRequest,
    responses(
        (status = 201, description = "It was made; this is the only time the key is shown", body = wire::NewKey),
        (status = 409, description = "There is one of that name", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create_key(mut call: Call) -> Answer {
    call.query(&[])?;
    let request = call
        .body(MEBIBYTE, Need::Required, KeyRequest::take)
        .await?;
    check_power(&call.grant, &request)?;
    let (grant, via) = (Arc::clone(&call.grant), call.request.via);
    let (about, key) = call
        .request
        .database(move |db| {
            let tenants = match &request.tenants {
                Tenants::All => None,
                Tenants::Some(names) => Some(service::keys::tenants(db, &grant, names)?),
            };
            let new = NewKey {
                name: request.name,
                scopes: request.scopes.iter().map(ToString::to_string).collect(),
                tenants,
                expires_at: request.expires_at,
            };
            service::keys::create(db, &grant, via, &new)
        })
        .await?;
    let about = wire::Key::from(about);
    json(StatusCode::CREATED, &wire::NewKey { key, about })
}

/// Refuses a key that could do more than the caller's.
fn check_power(grant: &Grant, request: &KeyRequest) -> Result<(), Fault> {
    if let Some(scope) = request.scopes.iter().find(|s| !grant.scopes.allow(**s)) {
        return Err(Fault::forbidden(format!(
            "a key can only make keys that may do no more than itself, and this one has not the scope {scope}"
        ))
        .field("scopes"));
    }
    if matches!(request.tenants, Tenants::All) && grant.tenants.is_some() {
        return Err(Fault::forbidden(
            "a key can only make keys for tenants it may touch itself, and this one may not touch all",
        )
        .field("tenants"));
    }
    if let Some(end) = request.expires_at.filter(|end| *end <= Utc::now()) {
        return Err(Fault::invalid(
            "expires_at",
            format!("expires_at is {}, which is over", crate::time::Time(end)),
        ));
    }
    match (grant.expires_at, request.expires_at) {
        (Some(own), theirs) if theirs.is_none_or(|end| end > own) => Err(Fault::forbidden(format!(
            "a key can only make keys that end no later than itself, and this one ends at {}; set expires_at accordingly",
            crate::time::Time(own)
        ))
        .field("expires_at")),
        _ => Ok(()),
    }
}
