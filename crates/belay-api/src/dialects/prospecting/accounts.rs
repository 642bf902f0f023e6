//! `GET /v1/accounts`

use std::sync::Arc;

use actix_web::http::{Method, StatusCode};

use super::wire;
use crate::auth::Scope;
use crate::http::{Answer, Call, Verb};
use crate::service;
use crate::time::Time;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::ProspectingRead, |call| {
        Box::pin(list_prospecting_accounts(call))
    })
}

/// List the account groups that the key can reach
#[utoipa::path(
    get, path = "/v1/accounts", tag = "prospecting",
    responses((status = 200, description = "All of them, oldest first, as `items` of one page", body = wire::Account)),
)]
pub(super) async fn list_prospecting_accounts(call: Call) -> Answer {
    let grant = Arc::clone(&call.grant);
    let tenants = call
        .request
        .database(move |db| service::house::tenants(db, &grant))
        .await?;
    let items = tenants
        .into_iter()
        .map(|tenant| wire::Account {
            id: tenant.key(),
            created_at: Time(tenant.created_at),
            name: tenant.name,
        })
        .collect();
    let page = wire::Page {
        items,
        next_cursor: None,
        has_more: false,
    };
    wire::success(&call.request, StatusCode::OK, page)
}
