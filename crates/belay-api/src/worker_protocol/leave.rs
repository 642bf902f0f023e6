//! `DELETE /belay/v1/worker/{worker}`

use actix_web::http::Method;

use super::{hub, worker};
use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, no_content};
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::DELETE, Scope::Worker, |call| Box::pin(leave(call)))
}

/// End a worker
///
/// Its lease ends, and what it still holds goes to others at once.
#[utoipa::path(
    delete, path = "/belay/v1/worker/{worker}", tag = "worker",
    params(("worker" = i64, Path, description = "Number of the worker", example = 7)),
    responses((status = 204, description = "It has ended")),
)]
pub(crate) async fn leave(call: Call) -> Answer {
    call.query(&[])?;
    let worker = worker(&call).await?;
    let id = worker.id;
    call.request
        .database(move |db| service::remote::leave(db, id))
        .await?;
    hub(&call).forget(id);
    Ok(no_content())
}
