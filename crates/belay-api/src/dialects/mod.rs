//! The compatibility interfaces: five published ways of cancelling jobs, each spoken word for word.
//!
//! A dialect parses, maps words and shapes answers. What is decided is decided in `service/`, and what is true stands in the
//! core. Each has a `map.rs` without a catch-all arm: a new state does not compile until every dialect has said what it calls it.

mod bulk_actions;
mod document;
mod ingest;
mod jobs;
mod prospecting;
mod settings;
mod vault;

use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};
use utoipa::OpenApi;

use crate::http::{Face, Resource, mount, unknown_route};
use crate::state::Inner;

pub use settings::Dialect;
pub(crate) use settings::DialectSettings;

/// A part of the paths of a dialect: everything below `base` is its own, and answered in its own words.
pub(crate) struct Area {
    pub(crate) dialect: Dialect,
    pub(crate) face: &'static Face,
    /// Where it begins, for example `/v1/jobs`.
    pub(crate) base: &'static str,
    pub(crate) resources: Vec<Resource>,
    /// Whether every other path below `base` is the dialect's too, and unknown.
    pub(crate) whole: bool,
}

/// The areas of all dialects. The order counts where one lies inside another: the inner one comes first.
pub(crate) fn areas() -> Vec<Area> {
    let [jobs, tokens] = jobs::areas();
    let mut areas = vec![prospecting::area(), jobs, tokens, bulk_actions::area()];
    areas.extend(ingest::areas());
    areas.extend(vault::areas());
    areas
}

/// What the document of the API says of the dialects, one part for each.
pub(crate) fn documents() -> Vec<utoipa::openapi::OpenApi> {
    vec![
        prospecting::ProspectingDocument::openapi(),
        jobs::JobsDocument::openapi(),
        vault::document(),
        bulk_actions::BulkActionsDocument::openapi(),
        ingest::IngestDocument::openapi(),
    ]
}

/// Mounts the dialects that are switched on.
pub(crate) fn configure(api: &Arc<Inner>, config: &mut ServiceConfig) {
    for area in areas() {
        if !api.dialects.is_on(area.dialect) {
            continue;
        }
        if area.whole {
            let mut scope = web::scope(&format!("{}{}", api.prefix, area.base));
            for resource in area.resources {
                scope = scope.service(mount(api, area.face, "", area.base, resource));
            }
            config.service(scope.default_service(unknown_route(api, area.face)));
        } else {
            for resource in area.resources {
                let base = format!("{}{}", api.prefix, area.base);
                config.service(mount(api, area.face, &base, area.base, resource));
            }
        }
    }
}
