//! Ids in paths: UUIDs, in either case.

use belay_core::id::JobRef;
use uuid::Uuid;

use crate::http::{Call, Fault};

/// The job the path names.
///
/// # Errors
/// 400 for what is no UUID, also for the other spellings of a job; 404 for a UUID that cannot be one of a job.
pub(super) fn job(call: &Call) -> Result<JobRef, Fault> {
    let text = call.request.part("id");
    if text.len() != 36 || Uuid::try_parse(text).is_err() {
        let shown: String = text.chars().take(60).collect();
        return Err(Fault::malformed(format!(
            "id is {shown:?}, it must be a UUID such as \"01a210da-1086-8000-8000-00000000004d\""
        ))
        .field("id"));
    }
    text.parse().map_err(|_| unknown(call))
}

/// The fault for a job that is not there, or not for this key.
pub(super) fn unknown(call: &Call) -> Fault {
    Fault::not_found(format!(
        "there is no job {}",
        call.request.part("id").to_ascii_lowercase()
    ))
}

/// Says in the client's spelling that a job is not there.
pub(super) fn in_its_words(fault: Fault, unknown: Fault) -> Fault {
    if fault.kind == crate::http::Kind::NotFound {
        unknown
    } else {
        fault
    }
}
