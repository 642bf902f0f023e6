//! `POST /services/a360/token`

use std::time::Duration;

use actix_web::http::header::HOST;
use actix_web::http::{Method, StatusCode};
use chrono::Utc;
use serde::Serialize;
use utoipa::ToSchema;

use super::{SCOPE, answer};
use crate::http::{Answer, Fault, Form, Request, Verb, accepts_plain_json};
use crate::service;

const GRANT: &str = "urn:salesforce:grant-type:external:cdp";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// How long a login lasts, unless its API key ends before.
const LIFE: Duration = Duration::from_secs(2 * 60 * 60);

pub(super) fn verb() -> Verb {
    Verb::open(Method::POST, |request| Box::pin(give_ingest_token(request)))
}

/// How a token is asked for.
#[derive(Debug, ToSchema)]
#[schema(example = json!({
    "grant_type": "urn:salesforce:grant-type:external:cdp", "subject_token": "belay_...",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token"
}))]
#[expect(dead_code, reason = "for the document")]
pub(super) struct IngestGrant {
    /// Always `urn:salesforce:grant-type:external:cdp`.
    grant_type: String,
    /// An API key with the scope `ingest`.
    subject_token: String,
    /// Always `urn:ietf:params:oauth:token-type:access_token`.
    subject_token_type: String,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "access_token": "belay_session_...", "instance_url": "127.0.0.1:7117", "token_type": "Bearer",
    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "expires_in": 7200
}))]
pub(super) struct IngestToken {
    /// For `Authorization: Bearer ...`.
    access_token: String,
    /// Where to use it: host and port.
    instance_url: String,
    /// Always `Bearer`.
    token_type: &'static str,
    issued_token_type: &'static str,
    /// Seconds until it ends.
    expires_in: u64,
}

/// Exchange an API key for a token
#[utoipa::path(
    post, path = "/services/a360/token", tag = "ingest",
    request_body(content = IngestGrant, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token", body = IngestToken, content_type = "application/json;charset=UTF-8"),
        (status = 400, description = "The API key does not work, or something else was asked for", body = super::fault::GrantError, content_type = "application/json;charset=UTF-8"),
    ),
)]
pub(super) async fn give_ingest_token(mut request: Request) -> Answer {
    accepts_plain_json(request.headers())?;
    let form = request.form().await?;
    expect(&form, "grant_type", GRANT)?;
    let key = given(&form, "subject_token")?.to_owned();
    expect(&form, "subject_token_type", ACCESS_TOKEN)?;
    let via = request.via;
    let grant = request
        .database(move |db| service::session::check(db, None, &key))
        .await?
        .ok_or_else(|| {
            Fault::invalid(
                "subject_token",
                "subject_token is not an API key that works",
            )
        })?;
    request.api.limiter.check(grant.key)?;
    if !grant.scopes.allow(SCOPE) {
        return Err(Fault::invalid(
            "subject_token",
            format!("the API key in subject_token has not the scope {SCOPE}"),
        ));
    }
    let left = grant
        .expires_at
        .and_then(|end| (end - Utc::now()).to_std().ok());
    let life = left.map_or(LIFE, |left| left.min(LIFE));
    let token = request
        .database(move |db| service::session::open(db, &grant, via, Some(&[SCOPE]), None, life))
        .await?;
    let body = IngestToken {
        access_token: token,
        instance_url: instance(&request),
        token_type: "Bearer",
        issued_token_type: ACCESS_TOKEN,
        expires_in: life.as_secs(),
    };
    answer(StatusCode::OK, &body)
}

fn given<'a>(form: &'a Form, name: &str) -> Result<&'a str, Fault> {
    form.text(name)
        .ok_or_else(|| Fault::invalid(name, format!("{name} is missing")))
}

fn expect(form: &Form, name: &str, value: &str) -> Result<(), Fault> {
    if given(form, name)? == value {
        return Ok(());
    }
    Err(Fault::invalid(name, format!("{name} must be {value}")))
}

/// Where the client has reached us, in its own words.
fn instance(request: &Request) -> String {
    let host = request.headers().get(HOST).and_then(|v| v.to_str().ok());
    match host.filter(|host| !host.is_empty()) {
        Some(host) => host.to_owned(),
        None => request.http.app_config().local_addr().to_string(),
    }
}
