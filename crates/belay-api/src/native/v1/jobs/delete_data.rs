//! `DELETE /belay/v1/jobs/{id}/data`

use actix_web::http::Method;

use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, no_content};
use crate::native::Problem;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::DELETE, Scope::Write, |call| {
        Box::pin(delete_job_data(call))
    })
}

/// Delete the data of a finished job
///
/// Its payload, error, output, progress and uploads. That it existed, and its record, stay. A second call changes nothing.
#[utoipa::path(
    delete, path = "/belay/v1/jobs/{id}/data", tag = "jobs",
    params(("reason" = Option<String>, Query, description = "Why; goes on record, up to 1000 characters")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "The job has not finished; cancel it first", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete_job_data(call: Call) -> Answer {
    let query = call.query(&["tenant", "reason"])?;
    let job = call.job()?;
    let reason = query.text("reason").map(ToOwned::to_owned);
    let caller = call.caller(&query).await?;
    call.request
        .database(move |db| service::manage::delete_data(db, &caller, job, reason.as_deref()))
        .await?;
    Ok(no_content())
}
