//! Version 1 of the native API: a verb per file. This file is the table of its routes.

mod jobs;
mod keys;
mod kinds;
mod queues;
mod reason;
mod shared;
mod tenants;
pub(crate) mod wire;
mod workers;

pub(crate) use docs::{ForAll, Native};

mod docs;

use crate::http::Resource;

/// Where it is mounted.
pub(crate) const BASE: &str = "/belay/v1";

/// Every resource. What has a fixed name stands before what has an id in the same place.
pub(crate) fn resources() -> Vec<Resource> {
    vec![
        Resource::new("/jobs", vec![jobs::list::verb(), jobs::enqueue::verb()]),
        Resource::new("/jobs/batch", vec![jobs::enqueue_batch::verb()]),
        Resource::new("/jobs/cancel", vec![jobs::cancel_many::verb()]),
        Resource::new("/jobs/{id}", vec![jobs::get::verb()]),
        Resource::new("/jobs/{id}/timeline", vec![jobs::timeline::verb()]),
        Resource::new("/jobs/{id}/output", vec![jobs::output::verb()]),
        Resource::new("/jobs/{id}/cancel", vec![jobs::cancel::verb()]),
        Resource::new("/jobs/{id}/retry", vec![jobs::retry::verb()]),
        Resource::new("/jobs/{id}/suspend", vec![jobs::suspend::verb()]),
        Resource::new("/jobs/{id}/resume", vec![jobs::resume::verb()]),
        Resource::new("/jobs/{id}/start", vec![jobs::start::verb()]),
        Resource::new("/jobs/{id}/data", vec![jobs::delete_data::verb()]),
        Resource::new("/queues", vec![queues::list::verb()]),
        Resource::new("/kinds", vec![kinds::list::verb()]),
        Resource::new("/workers", vec![workers::list::verb()]),
        Resource::new("/workers/{worker}/drain", vec![workers::drain::verb()]),
        Resource::new(
            "/tenants",
            vec![tenants::list::verb(), tenants::create::verb()],
        ),
        Resource::new("/keys", vec![keys::list::verb(), keys::create::verb()]),
        Resource::new("/keys/{name}", vec![keys::revoke::verb()]),
    ]
}
