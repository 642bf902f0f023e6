//! `POST /belay/v1/jobs/{id}/retry`

use actix_web::http::Method;

use super::enqueue::created;
use crate::auth::Scope;
use crate::http::{Answer, Call, Verb};
use crate::native::Problem;
use crate::native::v1::reason::Reason;
use crate::native::v1::wire;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Write, |call| Box::pin(retry_job(call)))
}

/// Run a finished job again
///
/// A finished job never changes: a new one with the same content is made, which names the old one in `retry_of`.
#[utoipa::path(
    post, path = "/belay/v1/jobs/{id}/retry", tag = "jobs",
    request_body = Reason,
    responses(
        (status = 201, description = "The new job", body = wire::Job, headers(("Location" = String, description = "Where it is"))),
        (status = 409, description = "It has not finished, its data was deleted, or an unfinished job holds its unique key", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn retry_job(mut call: Call) -> Answer {
    let query = call.query(&["tenant"])?;
    let job = call.job()?;
    let caller = call.caller(&query).await?;
    let Reason { reason } = call.body_for(&caller, job, Reason::take).await?;
    let via = caller.via;
    let seen = call
        .request
        .database(move |db| service::manage::retry(db, &caller, job, reason.as_deref()))
        .await?;
    call.request.api.metrics.enqueued(via, 1);
    created(&call.request, seen)
}
