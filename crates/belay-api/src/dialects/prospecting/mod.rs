//! The dialect `prospecting`: account groups and their jobs, each answer in one envelope.

mod accounts;
mod cancel;
mod create;
mod docs;
mod get;
mod list;
mod map;
mod path;
mod wire;

pub(super) use docs::ProspectingDocument;

use belay_core::ops::Via;

use super::{Area, Dialect};
use crate::auth::bearer;
use crate::http::{Face, Resource, accepts_plain_json};

/// How it speaks.
static FACE: Face = Face {
    via: Via::Prospecting,
    render: wire::render,
    accept: accepts_plain_json,
    credential: bearer,
    strict: false,
};

/// Its paths.
pub(super) fn area() -> Area {
    Area {
        dialect: Dialect::Prospecting,
        face: &FACE,
        base: "/v1/accounts",
        resources: vec![
            Resource::new("", vec![accounts::verb()]),
            Resource::new(
                "/{accountGroupId}/prospecting",
                vec![list::verb(), create::verb()],
            ),
            Resource::new("/{accountGroupId}/prospecting/{jobId}", vec![get::verb()]),
            Resource::new(
                "/{accountGroupId}/prospecting/{jobId}/cancel",
                vec![cancel::verb()],
            ),
        ],
        whole: true,
    }
}
