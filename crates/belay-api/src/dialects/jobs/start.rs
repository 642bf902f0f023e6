//! `PUT /v1/jobs/{jobId}/start`

use actix_web::http::Method;

use super::{path, problem};
use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, no_content};
use crate::service;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::PUT, Scope::JobsWrite, |call| {
        Box::pin(start_customer_job(call))
    })
}

/// Start a job as an external worker
///
/// Only a job whose status is `sent` can be started. From then on it is the caller's to do, and no worker of the daemon takes it. The result
/// must be reported within an hour: then the job counts as abandoned and becomes `sent` again, or `completedWithIssues` when that was its last
/// attempt. Jobs of the kind `external` are taken by nobody else. A body is ignored.
#[utoipa::path(
    put, path = "/v1/jobs/{jobId}/start", tag = "customer jobs",
    responses((status = 204, description = "It is the caller's to do"), (status = 422, description = "Its status is not `sent`",
        body = problem::Problem, content_type = "application/problem+json")),
)]
pub(super) async fn start_customer_job(call: Call) -> Answer {
    let (caller, job) = path::about(&call).await?;
    call.request
        .database(move |db| service::external::start(db, &caller, job))
        .await
        .map_err(problem::in_words)?;
    Ok(no_content())
}
