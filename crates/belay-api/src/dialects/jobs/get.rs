//! `GET /v1/jobs/{jobId}`

use actix_web::http::{Method, StatusCode};

use super::{path, wire};
use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, json};
use crate::service;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::JobsRead, |call| {
        Box::pin(get_customer_job(call))
    })
}

/// See a job
#[utoipa::path(
    get, path = "/v1/jobs/{jobId}", tag = "customer jobs",
    responses((status = 200, description = "The job", body = wire::Job)),
)]
pub(super) async fn get_customer_job(call: Call) -> Answer {
    let (caller, job) = path::about(&call).await?;
    let (job, attributes) = call
        .request
        .database(move |db| {
            let job = service::read::get(db, &caller, &job)?.job;
            let attributes = service::read::attributes(db, &[job.id])?;
            Ok((job, attributes))
        })
        .await?;
    let job = wire::Job::new(&job, attributes.get(&job.id));
    json(StatusCode::OK, &job)
}
