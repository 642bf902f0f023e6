//! `GET /api/v1/ingest/jobs/{id}`

use actix_web::http::{Method, StatusCode};

use super::{SCOPE, about, answer, asked, wire};
use crate::http::{Answer, Call, Verb};
use crate::service;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, SCOPE, |call| Box::pin(get_ingest_job(call)))
}

/// Look at a job
#[utoipa::path(
    get, path = "/api/v1/ingest/jobs/{id}", tag = "ingest",
    responses((status = 200, description = "The job", body = wire::IngestJob, content_type = "application/json;charset=UTF-8")),
)]
pub(super) async fn get_ingest_job(call: Call) -> Answer {
    let (caller, job) = asked(&call).await?;
    let found = call
        .request
        .database(move |db| service::ingest::get(db, &caller, &job))
        .await
        .map_err(about(&call))?;
    let prefix = &call.request.api.prefix;
    answer(StatusCode::OK, &wire::IngestJob::new(&found, prefix))
}
