//! `POST /api/{version}/services/jobs/start_now/{job_id}`

use actix_web::http::Method;
use belay_core::Error;
use belay_core::id::JobRef;

use super::answer::answer;
use super::job::{caller, find, number};
use super::versions::path_of;
use super::wire::{Started, Status};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, Verb};
use crate::service;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::VaultWrite, |call| {
        Box::pin(start_now(call))
    })
}

/// Start a scheduled job now
///
/// It joins its line without waiting for its time. One that is in its line already stays there.
#[utoipa::path(
    post, path = "/api/{version}/services/jobs/start_now/{job_id}", tag = "vault",
    responses((status = 200, description = "It is queued, now or before", body = Started)),
)]
pub(super) async fn start_now(call: Call) -> Answer {
    let id = number(&call)?;
    let caller = caller(&call).await?;
    find(&call, &caller, id).await?;
    let moved = call
        .request
        .database(move |db| {
            match service::manage::start_now(db, &caller, JobRef::number(id), None) {
                Ok(_) => Ok(true),
                Err(Error::Refused { .. } | Error::Missing { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        })
        .await?;
    if !moved {
        return Err(Fault::malformed(format!(
            "Job [{id}] is not found in SCHEDULED state"
        )));
    }
    answer(
        &call.request,
        &Started {
            response_status: Status::Success,
            url: path_of(&call.request, &format!("/services/jobs/{id}")),
            job_id: id,
        },
    )
}
