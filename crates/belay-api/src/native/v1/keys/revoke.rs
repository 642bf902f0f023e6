//! `DELETE /belay/v1/keys/{name}`

use std::sync::Arc;

use actix_web::http::Method;

use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, no_content};
use crate::native::Problem;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::DELETE, Scope::Admin, |call| {
        Box::pin(revoke_key(call))
    })
}

/// Revoke an API key
///
/// It stops to work at once on this node and within 5 seconds everywhere. A second call changes nothing.
#[utoipa::path(
    delete, path = "/belay/v1/keys/{name}", tag = "admin",
    params(("name" = String, Path, description = "Its name", example = "billing")),
    responses(
        (status = 204, description = "It is revoked, now or before"),
        (status = 404, description = "There is no such key, or it reaches further than this one", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn revoke_key(call: Call) -> Answer {
    call.query(&[])?;
    let name = call.request.part("name").to_owned();
    let grant = Arc::clone(&call.grant);
    call.request
        .database(move |db| service::keys::revoke(db, &grant, &name))
        .await?;
    call.request.api.keys.clear();
    Ok(no_content())
}
