//! `POST /belay/v1/jobs/{id}/start`

use actix_web::http::{Method, StatusCode};

use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, json};
use crate::native::Problem;
use crate::native::v1::reason::Reason;
use crate::native::v1::wire;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Write, |call| Box::pin(start_job(call)))
}

/// Start a scheduled job now
///
/// It joins its line without waiting for its time.
#[utoipa::path(
    post, path = "/belay/v1/jobs/{id}/start", tag = "jobs",
    request_body = Reason,
    responses(
        (status = 200, description = "It is queued, now or before", body = wire::Moved),
        (status = 409, description = "It is not waiting for its time", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn start_job(mut call: Call) -> Answer {
    let query = call.query(&["tenant"])?;
    let job = call.job()?;
    let caller = call.caller(&query).await?;
    let Reason { reason } = call.body_for(&caller, job, Reason::take).await?;
    let moved = call
        .request
        .database(move |db| service::manage::start_now(db, &caller, job, reason.as_deref()))
        .await?;
    json(
        StatusCode::OK,
        &wire::Moved::new(moved, "it waits no longer and joined its line"),
    )
}
