//! What machines ask: is it alive, is it ready, how is it doing.

mod healthz;
mod metrics;
mod readyz;

use utoipa::OpenApi;

use crate::builder::Page;
use crate::http::Resource;

/// The resources, each with the name under which it can be switched off.
pub(crate) fn resources() -> Vec<(Page, Resource)> {
    vec![
        (
            Page::Healthz,
            Resource::new("/healthz", vec![healthz::verb()]),
        ),
        (Page::Readyz, Resource::new("/readyz", vec![readyz::verb()])),
        (
            Page::Metrics,
            Resource::new("/metrics", vec![metrics::verb()]),
        ),
    ]
}

#[derive(OpenApi)]
#[openapi(
    paths(
        healthz::get_healthz,
        readyz::get_readyz,
        metrics::get_metrics,
        crate::docs::get_openapi,
    ),
    tags((name = "operations", description = "What machines ask. These need no API key, except `/metrics` where the daemon is set up so."))
)]
pub(crate) struct Probes;
