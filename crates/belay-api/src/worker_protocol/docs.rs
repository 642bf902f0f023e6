//! The document of the worker protocol.

use utoipa::OpenApi;

use super::{beat, claim, events, finish, leave, receiver_beat, receiver_finish, register};
use crate::native::v1::ForAll;

#[derive(OpenApi)]
#[openapi(
    paths(
        register::register_worker,
        claim::claim_jobs,
        beat::beat,
        finish::finish_jobs,
        events::events,
        leave::leave,
        receiver_finish::finish_job,
        receiver_beat::beat_job,
    ),
    tags((name = "worker", description = "Workers in any language. A worker belongs to the API key that registered it; every report carries the job's fence.")),
    modifiers(&ForAll),
)]
pub(crate) struct WorkerProtocol;
