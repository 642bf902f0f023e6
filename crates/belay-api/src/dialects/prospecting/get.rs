//! `GET /v1/accounts/{accountGroupId}/prospecting/{jobId}`

use actix_web::http::{Method, StatusCode};

use super::{path, wire};
use crate::auth::Scope;
use crate::http::{Answer, Call, Verb};
use crate::service;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::ProspectingRead, |call| {
        Box::pin(get_prospecting_job(call))
    })
}

/// See a job
#[utoipa::path(
    get, path = "/v1/accounts/{accountGroupId}/prospecting/{jobId}", tag = "prospecting",
    responses((status = 200, description = "The job", body = wire::Job)),
)]
pub(super) async fn get_prospecting_job(call: Call) -> Answer {
    let (caller, job) = path::job(&call).await?;
    let seen = call
        .request
        .database(move |db| service::read::get(db, &caller, &job))
        .await
        .map_err(|fault| path::in_words(&call, fault))?;
    wire::success(&call.request, StatusCode::OK, wire::Job::from(&seen))
}
