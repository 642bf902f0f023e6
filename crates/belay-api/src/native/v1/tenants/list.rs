//! `GET /belay/v1/tenants`

use std::sync::Arc;

use actix_web::http::{Method, StatusCode};

use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, json};
use crate::native::v1::wire;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::Admin, |call| {
        Box::pin(list_tenants(call))
    })
}

/// List tenants
#[utoipa::path(
    get, path = "/belay/v1/tenants", tag = "admin",
    responses((status = 200, description = "The tenants this key may touch", body = wire::Tenants)),
)]
pub(crate) async fn list_tenants(call: Call) -> Answer {
    call.query(&[])?;
    let grant = Arc::clone(&call.grant);
    let tenants = call
        .request
        .database(move |db| service::house::tenants(db, &grant))
        .await?;
    let tenants = tenants.into_iter().map(wire::Tenant::from).collect();
    json(StatusCode::OK, &wire::Tenants { tenants })
}
