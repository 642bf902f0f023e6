//! `GET /belay/v1/workers`

use actix_web::http::{Method, StatusCode};

use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, json};
use crate::native::v1::{shared, wire};
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::Read, |call| {
        Box::pin(list_workers(call))
    })
}

/// List workers
///
/// They work for all tenants; so this needs a key that may touch every tenant there is.
#[utoipa::path(
    get, path = "/belay/v1/workers", tag = "house",
    responses((status = 200, description = "Living workers and those that ended lately", body = wire::Workers)),
)]
pub(crate) async fn list_workers(call: Call) -> Answer {
    call.query(&[])?;
    shared::check(&call).await?;
    let workers = call.request.database(service::house::workers).await?;
    let workers = workers.into_iter().map(wire::Worker::from).collect();
    json(StatusCode::OK, &wire::Workers { workers })
}
