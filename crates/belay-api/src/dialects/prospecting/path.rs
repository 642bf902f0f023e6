//! The ids in a path, and the access to an account group.

use belay_core::id::JobRef;

use crate::auth;
use crate::http::{Call, Fault, Kind};
use crate::service::Caller;

/// An id from the path: 24 lower-case hexadecimal digits. `None` for digits that can be nobody's id.
fn id(call: &Call, part: &'static str) -> Result<Option<JobRef>, Fault> {
    let text = call.request.part(part);
    let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != 24 || !digits {
        let shown: String = text.chars().take(60).collect();
        return Err(Fault::malformed(format!(
            "{part} is {shown:?}, it must be 24 lower-case hexadecimal digits"
        ))
        .field(part));
    }
    Ok(text.parse().ok())
}

/// The account group in the path.
pub(super) fn group(call: &Call) -> Result<Option<JobRef>, Fault> {
    id(call, "accountGroupId")
}

/// Who asks, in that account group, if the key has access to it.
pub(super) async fn access(call: &Call, group: Option<JobRef>) -> Result<Caller, Fault> {
    let group =
        group.ok_or_else(|| Fault::forbidden("there is no access to that account group"))?;
    let tenant = auth::by_id(&call.request.api, group, &call.grant).await?;
    Ok(call.caller_on(tenant))
}

/// Who asks, in the account group that the path names, and about which job.
pub(super) async fn job(call: &Call) -> Result<(Caller, JobRef), Fault> {
    let (group, job) = (group(call)?, id(call, "jobId")?);
    let caller = access(call, group).await?;
    let job = job.ok_or_else(|| unknown(call))?;
    Ok((caller, job))
}

/// There is no job with the id that the path names.
pub(super) fn unknown(call: &Call) -> Fault {
    let asked = call.request.part("jobId");
    Fault::not_found(format!("there is no job {asked} in this account group"))
}

/// Puts "not found" into words that know no other spelling of the id than the one asked for.
pub(super) fn in_words(call: &Call, fault: Fault) -> Fault {
    if fault.kind == Kind::NotFound {
        unknown(call)
    } else {
        fault
    }
}
