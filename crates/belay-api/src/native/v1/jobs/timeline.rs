//! `GET /belay/v1/jobs/{id}/timeline`

use actix_web::http::{Method, StatusCode};

use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, json};
use crate::native::v1::wire;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::Read, |call| {
        Box::pin(get_timeline(call))
    })
}

/// See what happened to a job
#[utoipa::path(
    get, path = "/belay/v1/jobs/{id}/timeline", tag = "jobs",
    responses((status = 200, description = "Everything on record, oldest first", body = wire::Timeline)),
)]
pub(crate) async fn get_timeline(call: Call) -> Answer {
    let query = call.query(&["tenant"])?;
    let job = call.job()?;
    let caller = call.caller(&query).await?;
    let (id, events) = call
        .request
        .database(move |db| service::read::timeline(db, &caller, &job))
        .await?;
    json(StatusCode::OK, &wire::Timeline::new(id, events))
}
