//! `GET /belay/v1/queues`

use actix_web::http::{Method, StatusCode};

use crate::auth::Scope;
use crate::http::{Answer, Call, Verb, json};
use crate::native::v1::{shared, wire};
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::Read, |call| Box::pin(list_queues(call)))
}

/// List queues
///
/// With how many unfinished jobs each holds, of all tenants; so this needs a key that may touch every tenant there is.
#[utoipa::path(
    get, path = "/belay/v1/queues", tag = "house",
    responses((status = 200, description = "All queues that ever held a job", body = wire::Queues)),
)]
pub(crate) async fn list_queues(call: Call) -> Answer {
    call.query(&[])?;
    shared::check(&call).await?;
    let queues = call.request.database(service::house::queues).await?;
    let queues = queues
        .into_iter()
        .map(|(name, rows)| wire::Queue::new(name, &rows))
        .collect();
    json(StatusCode::OK, &wire::Queues { queues })
}
