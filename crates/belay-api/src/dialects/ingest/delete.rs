//! `DELETE /api/v1/ingest/jobs/{id}`

use actix_web::http::Method;

use super::{SCOPE, about, asked, map};
use crate::http::{Answer, Call, Fault, Verb, no_content};
use crate::service;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::DELETE, SCOPE, |call| {
        Box::pin(delete_ingest_job(call))
    })
}

/// Delete a job with its data
///
/// One that waits to be loaded is aborted first. Operators find its record through the native API.
#[utoipa::path(
    delete, path = "/api/v1/ingest/jobs/{id}", tag = "ingest",
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "It is open or in progress; abort it first", body = super::fault::IngestError, content_type = "application/json;charset=UTF-8"),
    ),
)]
pub(super) async fn delete_ingest_job(call: Call) -> Answer {
    let (caller, job) = asked(&call).await?;
    let (was, gone) = call
        .request
        .database(move |db| service::ingest::delete(db, &caller, &job))
        .await
        .map_err(about(&call))?;
    if gone {
        return Ok(no_content());
    }
    let why = match map::word(was) {
        "Aborted" => {
            "the job is Aborted, and its worker has not stopped yet; try again in a moment"
                .to_owned()
        }
        word => format!("the job is {word} and cannot be deleted; abort it first"),
    };
    Err(Fault::refused(why, Some(was)))
}
