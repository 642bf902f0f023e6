//! `POST /api/actions/bulk/jobs/{id}/cancel`

use actix_web::http::{Method, StatusCode};
use belay_core::ops::{CancelLimit, MAX_REASON, Outcome};
use uuid::Uuid;

use super::map::Status;
use super::{id, wire};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb, json};
use crate::service;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::BulkWrite, |call| {
        Box::pin(cancel_bulk_action(call))
    })
}

/// A string goes on record, cut to what is kept; anything else is nothing: a comment must not keep a job from being stopped.
fn reason(members: &mut Members<'_>) -> Result<Option<String>, Fault> {
    let text = members
        .raw("reason")
        .and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    Ok(text.map(|text| {
        text.replace('\0', "\u{fffd}")
            .chars()
            .take(MAX_REASON)
            .collect()
    }))
}

/// Cancel a bulk action
///
/// A job that is `scheduled` or `running` is `cancelled` from now on: nothing can end it in another way, also while its worker is still
/// stopping. The body may hold a `reason`, or be left out. A second cancel is refused.
#[utoipa::path(
    post, path = "/api/actions/bulk/jobs/{id}/cancel", tag = "bulk-actions",
    request_body(content = Object, description = "Any members; a string `reason` goes on record"),
    responses((status = 200, description = "It was accepted", body = wire::BulkCancelled)),
)]
pub(super) async fn cancel_bulk_action(mut call: Call) -> Answer {
    let job = id::job(&call)?;
    let (grant, unknown) = (call.grant.clone(), id::unknown(&call));
    let tenant = call
        .request
        .database(move |db| service::bulk::tenant_of(db, &grant, &job))
        .await
        .map_err(|fault| id::in_its_words(fault, unknown))?;
    let reason = call.body(MEBIBYTE, Need::Optional, reason).await?;
    let caller = call.caller_on(tenant);
    let cancelled = call
        .request
        .database(move |db| {
            service::cancel::cancel(db, &caller, job, reason.as_deref(), CancelLimit::Any)
        })
        .await?;
    let request = &call.request;
    request
        .api
        .metrics
        .cancel_answered(request.via, cancelled.outcome);
    // It was found to be one.
    let job_id: Uuid = request.part("id").parse().unwrap_or_default();
    match (cancelled.outcome, cancelled.state) {
        (Outcome::Cancelled | Outcome::Cancelling, _) => json(
            StatusCode::OK,
            &wire::BulkCancelled {
                success: true,
                job_id,
                status: Status::Cancelled.as_str(),
            },
        ),
        (Outcome::Already | Outcome::Refused, Some(state)) => Err(Fault::refused(
            format!(
                "job {job_id} cannot be cancelled: it is {}",
                Status::of(state).as_str()
            ),
            Some(state),
        )),
        (Outcome::Already | Outcome::Refused | Outcome::Missing, _) => Err(id::unknown(&call)),
    }
}
