//! The worker protocol, under `/belay/v1/worker`: workers in any language, over HTTP. A verb per file. This file is the table
//! of its routes.

mod beat;
mod claim;
mod docs;
mod events;
mod finish;
mod hub;
mod leave;
mod receiver_beat;
mod receiver_finish;
mod register;
mod report;
mod shown;
mod wire;

use std::sync::Arc;

use belay_core::Error;

pub(crate) use docs::WorkerProtocol;
pub(crate) use hub::Hub;

use crate::blocking;
use crate::http::{Call, Face, Fault, Resource};
use crate::native::FACE;
use hub::{Remote, Shared};

/// Every resource, below the base of the native API. What has a fixed name stands before what has an id in the same place.
pub(crate) fn resources() -> Vec<(&'static Face, Resource)> {
    let events = Resource::new("/worker/{worker}/events", vec![events::verb()]);
    [
        Resource::new("/worker/register", vec![register::verb()]),
        Resource::new("/worker/jobs/{id}/finish", vec![receiver_finish::verb()]),
        Resource::new("/worker/jobs/{id}/beat", vec![receiver_beat::verb()]),
        Resource::new("/worker/{worker}", vec![leave::verb()]),
        Resource::new("/worker/{worker}/claim", vec![claim::verb()]),
        Resource::new("/worker/{worker}/beat", vec![beat::verb()]),
        Resource::new("/worker/{worker}/finish", vec![finish::verb()]),
    ]
    .into_iter()
    .map(|resource| (&FACE, resource))
    .chain([(&events::FACE, events)])
    .collect()
}

fn hub(call: &Call) -> &Arc<Shared> {
    call.request.api.remote.get()
}

/// The worker the path names, if it belongs to the key that asks.
async fn worker(call: &Call) -> Result<Arc<Remote>, Fault> {
    let word = call.request.part("worker");
    let missing = || {
        Fault::from(Error::missing(format!(
            "worker {word:?} of this API key; register anew"
        )))
    };
    let id: i64 = word.parse().map_err(|_| missing())?;
    let hub = hub(call);
    let found = match hub.known(id) {
        Some(known) => Some(known),
        None => {
            let hub = Arc::clone(hub);
            blocking::database(&call.request.api, move |_| hub.read_worker(id)).await?
        }
    };
    found
        .filter(|worker| worker.key == call.grant.name)
        .ok_or_else(missing)
}

/// The worker's lease is over.
fn worker_lost(call: &Call, worker: &Remote) -> Fault {
    hub(call).forget(worker.id);
    Fault::refused(
        format!(
            "the lease of worker {} is over: stop all its work and register anew",
            worker.id
        ),
        None,
    )
    .with("outcome", "worker_lost")
}
