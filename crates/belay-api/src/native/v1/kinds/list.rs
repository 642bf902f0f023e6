//! `GET /belay/v1/kinds`

use actix_web::http::{Method, StatusCode};

use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, json};
use crate::native::v1::wire;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::Read, |call| Box::pin(list_kinds(call)))
}

/// List kinds of jobs
#[utoipa::path(
    get, path = "/belay/v1/kinds", tag = "house",
    responses((status = 200, description = "All kinds that a node can run or could", body = wire::Kinds)),
)]
pub(crate) async fn list_kinds(call: Call) -> Answer {
    call.query(&[])?;
    let kinds = call.request.database(service::house::kinds).await?;
    let kinds = kinds.into_iter().map(wire::Kind::from).collect();
    json(StatusCode::OK, &wire::Kinds { kinds })
}
