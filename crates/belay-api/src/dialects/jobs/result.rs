//! `PUT /v1/jobs/{jobId}/result`

use actix_web::http::Method;
use belay_core::JobState;
use belay_core::ops::check_reason;
use utoipa::ToSchema;

use super::{map, path, problem};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, Members, Verb, no_content};
use crate::service;
use crate::service::external::Outcome;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::PUT, Scope::JobsWrite, |call| {
        Box::pin(report_customer_job(call))
    })
}

/// How it went.
#[derive(Debug, ToSchema)]
#[schema(as = JobsResultRequest, example = json!({"success": false, "comment": "nobody was at home"}))]
pub(super) struct ResultRequest {
    success: bool,
    /// Up to 1000 characters. Of a failure it is the error.
    comment: Option<String>,
}

impl ResultRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        let success = members.needed_flag("success")?;
        let comment = members.text("comment")?;
        check_reason(comment.as_deref()).map_err(|_| {
            Fault::invalid(
                "comment",
                "comment is too long: at most 1000 characters are allowed",
            )
        })?;
        let comment = comment.filter(|comment| !comment.trim().is_empty());
        Ok(Self { success, comment })
    }
}

/// Report on a job as an external worker
///
/// Ends a job that was started with `PUT .../start`. When it was cancelled meanwhile it ends as `cancelled`, whatever is reported, and the
/// answer is 422. A job that a worker of the daemon runs cannot be reported on.
#[utoipa::path(
    put, path = "/v1/jobs/{jobId}/result", tag = "customer jobs",
    request_body = ResultRequest,
    responses((status = 204, description = "It has ended so")),
)]
pub(super) async fn report_customer_job(mut call: Call) -> Answer {
    let (caller, job) = path::about(&call).await?;
    let ResultRequest { success, comment } =
        call.body_for(&caller, job, ResultRequest::take).await?;
    let outcome = Outcome { success, comment };
    let state = call
        .request
        .database(move |db| service::external::finish(db, &caller, job, outcome))
        .await
        .map_err(problem::in_words)?;
    if state == JobState::Cancelled {
        let status = map::word(state);
        return Err(Fault::refused(
            format!("the job was cancelled before it ended, and ends so: its status is {status}"),
            Some(state),
        ));
    }
    Ok(no_content())
}
