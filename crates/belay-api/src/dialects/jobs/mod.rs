//! The dialect `jobs`: jobs of a customer, errors as problem documents, and work done by programs outside.

mod cancel;
mod changes;
mod create;
mod docs;
mod get;
mod history;
mod list;
mod map;
mod page;
mod path;
mod problem;
mod result;
mod schedule;
mod start;
mod tokens;
mod wire;

pub(super) use docs::JobsDocument;

use belay_core::ops::Via;

use super::{Area, Dialect};
use crate::auth::bearer;
use crate::http::{Face, Resource, accepts_json};

/// How it speaks.
static FACE: Face = Face {
    via: Via::Jobs,
    render: problem::render,
    accept: accepts_json,
    credential: bearer,
    strict: false,
};

const BASE: &str = "/v1/jobs";

/// Its paths.
pub(super) fn areas() -> [Area; 2] {
    let jobs = vec![
        Resource::new("", vec![list::verb(), create::verb()]),
        Resource::new("/{jobId}", vec![get::verb()]),
        Resource::new("/{jobId}/cancel", cancel::verbs()),
        Resource::new("/{jobId}/statusHistory", vec![history::verb()]),
        Resource::new("/{jobId}/schedule", vec![schedule::verb()]),
        Resource::new("/{jobId}/start", vec![start::verb()]),
        Resource::new("/{jobId}/result", vec![result::verb()]),
    ];
    [
        (BASE, jobs),
        (
            "/auth/tokens",
            vec![Resource::new("", vec![tokens::verb()])],
        ),
    ]
    .map(|(base, resources)| Area {
        dialect: Dialect::Jobs,
        face: &FACE,
        base,
        resources,
        whole: true,
    })
}
