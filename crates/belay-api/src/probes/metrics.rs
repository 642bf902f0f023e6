//! `GET /metrics`

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::CONTENT_TYPE;
use std::sync::Arc;

use crate::auth::{Scope, authenticate, bearer};
use crate::blocking;
use crate::http::{Answer, Fault, Request, Verb};

pub(super) fn verb() -> Verb {
    Verb::open(Method::GET, |request| Box::pin(get_metrics(request)))
}

/// How is the daemon doing
///
/// For Prometheus. What is read from the database is read at most every few seconds, however often this is asked.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "The text format of Prometheus", content_type = "text/plain", body = String)),
)]
pub(crate) async fn get_metrics(request: Request) -> Answer {
    let api = Arc::clone(&request.api);
    if api.metrics_key_required {
        authenticate(&api, &bearer(request.headers())?, request.via)
            .await?
            .require(Scope::Metrics)?;
    }
    // Not counted among the calls to the database: the sampler never takes two samples at once, and what this process knows
    // itself must be told most of all when the database is away.
    let text = blocking::compute(move || api.metrics.render(Some(&api.sampler.sample())))
        .await?
        .map_err(|e| Fault::internal(e.to_string()))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, belay_metrics::CONTENT_TYPE))
        .body(text))
}
