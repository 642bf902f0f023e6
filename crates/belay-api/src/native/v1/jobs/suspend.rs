//! `POST /belay/v1/jobs/{id}/suspend`

use actix_web::http::{Method, StatusCode};

use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, json};
use crate::native::Problem;
use crate::native::v1::reason::Reason;
use crate::native::v1::wire;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Write, |call| {
        Box::pin(suspend_job(call))
    })
}

/// Hold a running job still
///
/// Its worker stops it where it is and keeps it. Only kinds that can be suspended.
#[utoipa::path(
    post, path = "/belay/v1/jobs/{id}/suspend", tag = "jobs",
    request_body = Reason,
    responses(
        (status = 200, description = "It is suspended, now or before", body = wire::Moved),
        (status = 409, description = "It is not running, or its kind cannot be suspended", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn suspend_job(mut call: Call) -> Answer {
    let query = call.query(&["tenant"])?;
    let job = call.job()?;
    let caller = call.caller(&query).await?;
    let Reason { reason } = call.body_for(&caller, job, Reason::take).await?;
    let moved = call
        .request
        .database(move |db| service::manage::suspend(db, &caller, job, reason.as_deref()))
        .await?;
    json(
        StatusCode::OK,
        &wire::Moved::new(moved, "its worker was told to hold it still"),
    )
}
