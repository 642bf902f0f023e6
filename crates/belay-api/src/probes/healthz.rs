//! `GET /healthz`

use actix_web::http::{Method, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{Answer, Request, Verb, json};

pub(super) fn verb() -> Verb {
    Verb::open(Method::GET, |request| Box::pin(get_healthz(request)))
}

/// That the process lives.
#[derive(Serialize, ToSchema)]
pub(crate) struct Alive {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Is the process alive
///
/// Looks at nothing: a process that can answer this should not be restarted.
#[utoipa::path(
    get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "It is", body = Alive)),
)]
pub(crate) async fn get_healthz(_: Request) -> Answer {
    json(StatusCode::OK, &Alive { status: "ok" })
}
