//! `bulk-actions`: `/api/actions/bulk/jobs`. Ids are UUIDs and global: whoever may touch a job's tenant may name it.

mod cancel;
mod create;
mod docs;
mod get;
mod id;
mod list;
mod map;
mod problem;
mod wire;

use belay_core::ops::Via;

use super::{Area, Dialect};
use crate::auth::bearer;
use crate::http::{Face, Resource, accepts_json};

pub(super) use docs::BulkActionsDocument;

const BASE: &str = "/api/actions/bulk";

static FACE: Face = Face {
    via: Via::BulkActions,
    render: problem::render,
    accept: accepts_json,
    credential: bearer,
    strict: false,
};

pub(super) fn area() -> Area {
    Area {
        dialect: Dialect::BulkActions,
        face: &FACE,
        base: BASE,
        resources: vec![
            Resource::new("/jobs", vec![list::verb(), create::verb()]),
            Resource::new("/jobs/{id}", vec![get::verb()]),
            Resource::new("/jobs/{id}/cancel", vec![cancel::verb()]),
        ],
        whole: true,
    }
}
