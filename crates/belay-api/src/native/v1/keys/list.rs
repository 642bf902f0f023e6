//! `GET /belay/v1/keys`

use std::sync::Arc;

use actix_web::http::{Method, StatusCode};

use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, json};
use crate::native::v1::wire;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::Admin, |call| Box::pin(list_keys(call)))
}

/// List API keys
#[utoipa::path(
    get, path = "/belay/v1/keys", tag = "admin",
    responses((status = 200, description = "The keys that reach no further than this one", body = wire::Keys)),
)]
pub(crate) async fn list_keys(call: Call) -> Answer {
    call.query(&[])?;
    let grant = Arc::clone(&call.grant);
    let keys = call
        .request
        .database(move |db| service::keys::list(db, &grant))
        .await?;
    let keys = keys.into_iter().map(wire::Key::from).collect();
    json(StatusCode::OK, &wire::Keys { keys })
}
