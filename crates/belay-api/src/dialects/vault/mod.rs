//! The dialect `vault`: many jobs by number in one request, answered one by one, in JSON or XML.
//!
//! Its clients look at `responseStatus`, not at the status code: whatever the dialect itself decides is answered 200.

mod answer;
mod auth;
mod cancel;
mod csv;
mod docs;
mod entries;
mod get;
mod histories;
mod job;
mod list;
mod map;
mod monitors;
mod render;
mod session;
mod start_now;
mod tasks;
mod versions;
mod wire;
mod xml;

pub(crate) use docs::document;

use belay_core::ops::Via;

use super::{Area, Dialect};
use crate::auth::bare_or_bearer;
use crate::http::{Face, Resource};

/// How the dialect speaks.
static FACE: Face = Face {
    via: Via::Vault,
    render: render::render,
    accept: answer::accepts,
    credential: bare_or_bearer,
    strict: false,
};

/// Where it is mounted: everything below the versions, then the list of versions itself.
pub(crate) fn areas() -> Vec<Area> {
    let area = |base, resources| Area {
        dialect: Dialect::Vault,
        face: &FACE,
        base,
        resources,
        whole: true,
    };
    vec![
        area("/api/{version}", of_a_version()),
        area("/api", vec![Resource::new("", vec![versions::verb()])]),
    ]
}

/// Every resource of a version. What has a fixed name stands before what has an id in the same place.
fn of_a_version() -> Vec<Resource> {
    [
        ("/auth", auth::verb()),
        ("/keep-alive", session::keep_alive_verb()),
        ("/session", session::end_verb()),
        ("/services/jobs/actions/cancel", cancel::verb()),
        ("/services/jobs/monitors", monitors::verb()),
        ("/services/jobs/histories", histories::verb()),
        ("/services/jobs/start_now/{job_id}", start_now::verb()),
        ("/services/jobs/{job_id}", get::verb()),
        ("/services/jobs/{job_id}/tasks", tasks::verb()),
    ]
    .into_iter()
    .map(|(path, verb)| Resource {
        judge: versions::judge,
        ..Resource::new(path, vec![verb])
    })
    .collect()
}
