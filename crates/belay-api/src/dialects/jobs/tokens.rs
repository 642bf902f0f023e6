//! `POST /auth/tokens`

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{AUTHORIZATION, ContentType, WWW_AUTHENTICATE};
use actix_web::http::{Method, StatusCode};
use belay_core::ops::Via;
use chrono::Utc;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::{Grant, Scope};
use crate::http::{Answer, Fault, Form, Kind, Request, Verb, accepts_json, basic, json};
use crate::service;

/// How long a token works, unless its key ends before.
const LIFE: Duration = Duration::from_secs(3600);

pub(super) fn verb() -> Verb {
    Verb::open(Method::POST, |request| {
        Box::pin(create_customer_token(request))
    })
}

/// How a token is asked for. The credentials can also stand in the header `Authorization`, as HTTP Basic.
#[derive(Debug, ToSchema)]
#[schema(as = JobsTokenRequest)]
#[expect(dead_code, reason = "describes the form, which is read field by field")]
pub(super) struct TokenRequest {
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The name of the API key.
    #[schema(example = "ci")]
    client_id: Option<String>,
    /// The API key.
    client_secret: Option<String>,
    /// Scopes, with spaces in between: not more than the key has. When left out, what it has of `jobs:read` and `jobs:write`.
    #[schema(example = "jobs:read jobs:write")]
    scope: Option<String>,
}

/// A token for this interface.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobsToken)]
pub(super) struct Token {
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// In seconds.
    #[schema(example = 3600)]
    expires_in: u64,
    /// What it allows.
    #[schema(example = "jobs:read jobs:write")]
    scope: String,
}

/// Why there is no token (RFC 6749).
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = JobsTokenError)]
pub(super) struct TokenError {
    /// `invalid_request`, `unsupported_grant_type`, `invalid_scope` or `invalid_client`.
    #[schema(example = "invalid_client")]
    error: &'static str,
}

const INVALID_REQUEST: TokenError = TokenError {
    error: "invalid_request",
};
const UNSUPPORTED: TokenError = TokenError {
    error: "unsupported_grant_type",
};
const INVALID_SCOPE: TokenError = TokenError {
    error: "invalid_scope",
};
const INVALID_CLIENT: TokenError = TokenError {
    error: "invalid_client",
};

/// Ask for an access token
///
/// With the name of an API key as client id and the key as client secret. The token works for an hour, through this interface only.
#[utoipa::path(
    post, path = "/auth/tokens", tag = "customer jobs",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token", body = Token),
        (status = 400, description = "`invalid_request`, `unsupported_grant_type` or `invalid_scope`", body = TokenError),
        (status = 401, description = "`invalid_client`", body = TokenError),
    ),
)]
pub(super) async fn create_customer_token(mut request: Request) -> Answer {
    accepts_json(request.headers())?;
    let form = match request.form().await {
        Ok(form) => form,
        Err(fault) if fault.kind == Kind::Malformed => return refuse(INVALID_REQUEST),
        Err(fault) => return Err(fault),
    };
    match form.text("grant_type") {
        Some("client_credentials") => {}
        Some(_) => return refuse(UNSUPPORTED),
        None => return refuse(INVALID_REQUEST),
    }
    let (id, secret) = match credentials(&request, &form) {
        Ok(pair) => pair,
        Err(error) => return refuse(error),
    };
    let checked = request
        .database(move |db| service::session::check(db, Some(&id), &secret))
        .await?;
    let Some(grant) = checked else {
        return refuse(INVALID_CLIENT);
    };
    request.api.limiter.check(grant.key)?;
    let Some(scopes) = scopes(&grant, form.text("scope")) else {
        return refuse(INVALID_SCOPE);
    };
    issue(&request, grant, scopes).await
}

async fn issue(request: &Request, grant: Grant, scopes: Vec<Scope>) -> Answer {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let scope = names.join(" ");
    // Nothing outlives its key.
    let left = grant
        .expires_at
        .map_or(LIFE, |end| (end - Utc::now()).to_std().unwrap_or_default())
        .min(LIFE);
    let access_token = request
        .database(move |db| {
            service::session::open(db, &grant, Via::Jobs, Some(&scopes), None, left)
        })
        .await?;
    let token = Token {
        access_token,
        token_type: "Bearer",
        expires_in: left.as_secs(),
        scope,
    };
    json(StatusCode::OK, &token)
}

fn refuse(error: TokenError) -> Answer {
    let status = if error.error == INVALID_CLIENT.error {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::BAD_REQUEST
    };
    let mut answer = HttpResponse::build(status);
    answer.insert_header(ContentType::json());
    if status == StatusCode::UNAUTHORIZED {
        answer.insert_header((WWW_AUTHENTICATE, "Basic realm=\"belay\""));
    }
    let text = serde_json::to_string(&error).map_err(|e| Fault::internal(e.to_string()))?;
    Ok(answer.body(text))
}

/// Client id and secret, from the header or from the form, never from both.
fn credentials(request: &Request, form: &Form) -> Result<(String, String), TokenError> {
    let (id, secret) = (form.text("client_id"), form.text("client_secret"));
    if request.headers().contains_key(AUTHORIZATION) {
        let (name, key) = basic(request.headers()).ok_or(INVALID_CLIENT)?;
        let name = decoded(&name);
        // The id may be named once more, the secret may not.
        if secret.is_some() || id.is_some_and(|id| id != name) {
            return Err(INVALID_REQUEST);
        }
        return Ok((name, decoded(&key)));
    }
    match (id, secret) {
        (Some(id), Some(secret)) => Ok((id.to_owned(), secret.to_owned())),
        _ => Err(INVALID_CLIENT),
    }
}

/// RFC 6749 wants both encoded as in forms; many clients send them as they are. Names and keys hold neither `%` nor `+`, so that
/// is no matter of choice.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (code, part.get(2..)) {
            (Some(code), Some(rest)) => {
                bytes.push(code);
                bytes.extend_from_slice(rest.as_bytes());
            }
            _ => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What the token allows: what was asked for, or what the key has of this interface. `None` when that is nothing, or more than
/// the key has.
fn scopes(grant: &Grant, asked: Option<&str>) -> Option<Vec<Scope>> {
    let has = grant.scopes.list();
    let mut scopes = Vec::new();
    match asked {
        Some(words) => {
            for word in words.split(' ').filter(|word| !word.is_empty()) {
                // Of no use for anything else.
                let scope: Scope = word
                    .parse()
                    .ok()
                    .filter(|scope| matches!(scope, Scope::JobsRead | Scope::JobsWrite))
                    .filter(|scope| has.contains(scope))?;
                if !scopes.contains(&scope) {
                    scopes.push(scope);
                }
            }
        }
        None => {
            scopes.extend(
                [Scope::JobsRead, Scope::JobsWrite]
                    .into_iter()
                    .filter(|scope| has.contains(scope)),
            );
        }
    }
    (!scopes.is_empty()).then_some(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_decoded_where_they_are_encoded() {
        for (text, plain) in [
            ("ci", "ci"),
            ("ci%40home", "ci@home"),
            ("%63%69", "ci"),
            ("a%", "a%"),
            ("a%4", "a%4"),
            ("a%zz%41", "a%zzA"),
            ("%é1", "%é1"),
        ] {
            assert_eq!(decoded(text), plain, "{text}");
        }
    }
}
