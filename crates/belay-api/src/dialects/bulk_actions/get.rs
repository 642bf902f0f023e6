//! `GET /api/actions/bulk/jobs/{id}`

use actix_web::http::{Method, StatusCode};

use super::{id, wire};
use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, json};
use crate::service;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::BulkRead, |call| {
        Box::pin(get_bulk_action(call))
    })
}

/// See a bulk action
///
/// Any job can be seen here, whichever interface made it.
#[utoipa::path(
    get, path = "/api/actions/bulk/jobs/{id}", tag = "bulk-actions",
    responses((status = 200, description = "The job", body = wire::BulkAction)),
)]
pub(super) async fn get_bulk_action(call: Call) -> Answer {
    let job = id::job(&call)?;
    let grant = call.grant.clone();
    let action = call
        .request
        .database(move |db| service::bulk::get(db, &grant, &job))
        .await
        .map_err(|fault| id::in_its_words(fault, id::unknown(&call)))?;
    json(StatusCode::OK, &wire::BulkAction::from(action))
}
