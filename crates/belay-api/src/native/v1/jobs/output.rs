//! `GET /belay/v1/jobs/{id}/output`

use actix_web::http::{Method, StatusCode};

use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, json};
use crate::native::v1::wire;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::Read, |call| Box::pin(get_output(call)))
}

/// See what a job wrote
///
/// The last part of it, while it runs and afterwards.
#[utoipa::path(
    get, path = "/belay/v1/jobs/{id}/output", tag = "jobs",
    responses((status = 200, description = "What its attempts wrote", body = wire::Outputs)),
)]
pub(crate) async fn get_output(call: Call) -> Answer {
    let query = call.query(&["tenant"])?;
    let job = call.job()?;
    let caller = call.caller(&query).await?;
    let (id, outputs) = call
        .request
        .database(move |db| service::read::outputs(db, &caller, &job))
        .await?;
    json(StatusCode::OK, &wire::Outputs::new(id, outputs))
}
