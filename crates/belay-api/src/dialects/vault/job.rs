//! What the verbs for one job have in common.

use belay_core::Error;
use belay_core::id::JobRef;
use belay_core::model::Job;

use super::entries::Entry;
use super::map;
use crate::auth;
use crate::http::{Call, Fault, Kind};
use crate::service::{self, Caller};

/// Who asks, on which tenant. A tenant that does not exist is a value that is not allowed, not a path that does not exist.
pub(super) async fn caller(call: &Call) -> Result<Caller, Fault> {
    let request = &call.request;
    let tenant = auth::choose(&request.api, request.headers(), None, &call.grant)
        .await
        .map_err(|mut fault| {
            if fault.kind == Kind::NotFound {
                fault.kind = Kind::Malformed;
            }
            fault
        })?;
    Ok(call.caller_on(tenant))
}

/// The number in the path.
pub(super) fn number(call: &Call) -> Result<i64, Fault> {
    match Entry::of_text(call.request.part("job_id")) {
        Entry::Job(id) => Ok(id),
        Entry::Invalid(text) => Err(Fault::malformed(format!("Invalid job_id [{text}]"))),
        Entry::Missing => Err(Fault::malformed("Invalid job_id []")),
    }
}

/// The job of that number, if the caller's tenant has it.
pub(super) async fn find(call: &Call, caller: &Caller, id: i64) -> Result<Job, Fault> {
    let caller = caller.clone();
    let found = call
        .request
        .database(
            move |db| match service::read::get(db, &caller, &JobRef::number(id)) {
                Ok(seen) => Ok(Some(seen.job)),
                Err(Error::Missing { .. }) => Ok(None),
                Err(error) => Err(error),
            },
        )
        .await?;
    found.ok_or_else(|| Fault::malformed(map::unknown(id)))
}
