//! `POST /api/{version}/keep-alive` and `DELETE /api/{version}/session`

use std::sync::Arc;

use actix_web::http::Method;

use super::answer::{accepts, answer};
use super::wire::Done;
use crate::auth::{Grant, authenticate, bare_or_bearer};
use crate::http::{Answer, Fault, Request, Verb};
use crate::service;

pub(super) fn keep_alive_verb() -> Verb {
    Verb::open(Method::POST, |request| Box::pin(keep_alive(request)))
}

pub(super) fn end_verb() -> Verb {
    Verb::open(Method::DELETE, |request| Box::pin(end_session(request)))
}

/// Any session will do, whatever it may.
async fn known(request: &Request) -> Result<(String, Arc<Grant>), Fault> {
    let token = bare_or_bearer(request.headers())?;
    let grant = authenticate(&request.api, &token, request.via).await?;
    request.api.limiter.check(grant.key)?;
    accepts(request.headers())?;
    Ok((token, grant))
}

/// Keep a session alive
///
/// Its 20 minutes begin anew; its 48 hours do not.
#[utoipa::path(
    post, path = "/api/{version}/keep-alive", tag = "vault",
    responses((status = 200, description = "It is used now", body = Done)),
)]
pub(super) async fn keep_alive(request: Request) -> Answer {
    let (_, grant) = known(&request).await?;
    if let Some(session) = grant.session {
        request
            .database(move |db| service::session::touch(db, session))
            .await?;
    }
    answer(&request, &Done::DONE)
}

/// End a session
///
/// It does not work any more, on this node at once and elsewhere within 5 seconds. An API key that was sent in its place goes on working.
#[utoipa::path(
    delete, path = "/api/{version}/session", tag = "vault",
    responses((status = 200, description = "It has ended", body = Done)),
)]
pub(super) async fn end_session(request: Request) -> Answer {
    let (token, grant) = known(&request).await?;
    if grant.session.is_some() {
        request
            .database(move |db| service::session::end(db, &token))
            .await?;
        request.api.keys.clear();
    }
    answer(&request, &Done::DONE)
}
