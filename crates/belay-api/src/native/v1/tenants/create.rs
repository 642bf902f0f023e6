//! `POST /belay/v1/tenants`

use actix_web::http::{Method, StatusCode};
use utoipa::ToSchema;

use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb, json};
use crate::native::Problem;
use crate::native::v1::wire;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Admin, |call| {
        Box::pin(create_tenant(call))
    })
}

/// A tenant to be made.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"name": "acme"}))]
pub(crate) struct TenantRequest {
    /// 1 to 63 letters, digits and `._-`.
    name: String,
}

impl TenantRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        Ok(Self {
            name: members.needed_text("name")?,
        })
    }
}

/// Make a tenant
///
/// Needs a key that may touch all tenants.
#[utoipa::path(
    post, path = "/belay/v1/tenants", tag = "admin",
    request_body = TenantRequest,
    responses(
        (status = 201, description = "It was made", body = wire::Tenant),
        (status = 409, description = "There is one of that name", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create_tenant(mut call: Call) -> Answer {
    call.query(&[])?;
    if call.grant.tenants.is_some() {
        return Err(Fault::forbidden(
            "making a tenant needs an API key that may touch all tenants",
        ));
    }
    let request = call
        .body(MEBIBYTE, Need::Required, TenantRequest::take)
        .await?;
    let tenant = call
        .request
        .database(move |db| service::house::create_tenant(db, &request.name))
        .await?;
    json(StatusCode::CREATED, &wire::Tenant::from(tenant))
}
