//! `GET /belay/v1/jobs/{id}`

use actix_web::http::{Method, StatusCode};

use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, json};
use crate::native::v1::wire;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::Read, |call| Box::pin(get_job(call)))
}

/// See a job
#[utoipa::path(
    get, path = "/belay/v1/jobs/{id}", tag = "jobs",
    responses((status = 200, description = "The job", body = wire::Job)),
)]
pub(crate) async fn get_job(call: Call) -> Answer {
    let query = call.query(&["tenant"])?;
    let job = call.job()?;
    let caller = call.caller(&query).await?;
    let seen = call
        .request
        .database(move |db| service::read::get(db, &caller, &job))
        .await?;
    json(StatusCode::OK, &wire::Job::try_from(seen)?)
}
