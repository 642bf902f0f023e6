//! `POST /belay/v1/workers/{worker}/drain`

use actix_web::http::Method;
use belay_core::Error;

use crate::auth::Scope;
use crate::http::{Answer, Call, MEBIBYTE, Members, Need, Verb, no_content};
use crate::native::Problem;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Admin, |call| {
        Box::pin(drain_worker(call))
    })
}

/// Drain a remote worker
///
/// It gets no more jobs from now on, and its next heartbeat tells it to end when its jobs are done. The worker of a daemon is drained by stopping
/// that daemon.
#[utoipa::path(
    post, path = "/belay/v1/workers/{worker}/drain", tag = "house",
    params(("worker" = i64, Path, description = "Number of the worker", example = 7)),
    responses(
        (status = 204, description = "It gets no more jobs"),
        (status = 404, description = "There is no such living worker", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is the worker of a daemon", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn drain_worker(mut call: Call) -> Answer {
    call.query(&[])?;
    let word = call.request.part("worker").to_owned();
    let id: i64 = word
        .parse()
        .map_err(|_| Error::missing(format!("worker {word:?}")))?;
    call.body(MEBIBYTE, Need::Optional, |_: &mut Members<'_>| Ok(()))
        .await?;
    call.request
        .database(move |db| service::remote::drain(db, id))
        .await?;
    Ok(no_content())
}
