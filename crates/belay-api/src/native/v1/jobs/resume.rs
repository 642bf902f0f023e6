//! `POST /belay/v1/jobs/{id}/resume`

use actix_web::http::{Method, StatusCode};

use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, json};
use crate::native::Problem;
use crate::native::v1::reason::Reason;
use crate::native::v1::wire;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Write, |call| {
        Box::pin(resume_job(call))
    })
}

/// Let a suspended job go on
///
/// On the worker that holds it still.
#[utoipa::path(
    post, path = "/belay/v1/jobs/{id}/resume", tag = "jobs",
    request_body = Reason,
    responses(
        (status = 200, description = "It is running, now or before", body = wire::Moved),
        (status = 409, description = "It is not suspended", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn resume_job(mut call: Call) -> Answer {
    let query = call.query(&["tenant"])?;
    let job = call.job()?;
    let caller = call.caller(&query).await?;
    let Reason { reason } = call.body_for(&caller, job, Reason::take).await?;
    let moved = call
        .request
        .database(move |db| service::manage::resume(db, &caller, job, reason.as_deref()))
        .await?;
    json(
        StatusCode::OK,
        &wire::Moved::new(moved, "its worker was told to go on"),
    )
}
