//! `POST /v1/accounts/{accountGroupId}/prospecting/{jobId}/cancel`

use actix_web::http::{Method, StatusCode};
use belay_core::JobState;
use belay_core::ops::{CancelLimit, Outcome, check_reason};
use utoipa::ToSchema;

use super::{map, path, wire};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, Members, Verb};
use crate::service;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::ProspectingWrite, |call| {
        Box::pin(cancel_prospecting_job(call))
    })
}

/// Why a job is cancelled.
#[derive(Debug, ToSchema)]
#[schema(as = ProspectingCancelRequest, example = json!({"reason": "wrong region"}))]
pub(super) struct CancelRequest {
    /// Up to 1000 characters; goes on record.
    reason: Option<String>,
}

impl CancelRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        let reason = members.text("reason")?;
        check_reason(reason.as_deref())?;
        Ok(Self { reason })
    }
}

/// Cancel a job
///
/// Only a job whose status is `queued` or `running` can be cancelled. From then on its status is `cancelled`, also while a worker is still
/// winding down. Not idempotent: a second cancel is answered 422 and changes nothing.
#[utoipa::path(
    post, path = "/v1/accounts/{accountGroupId}/prospecting/{jobId}/cancel", tag = "prospecting",
    request_body = CancelRequest,
    responses((status = 200, description = "It is cancelled", body = wire::Cancelled)),
)]
pub(super) async fn cancel_prospecting_job(mut call: Call) -> Answer {
    let (caller, job) = path::job(&call).await?;
    let body = call.body_for(&caller, job, CancelRequest::take).await;
    let CancelRequest { reason } = body.map_err(|fault| path::in_words(&call, fault))?;
    let via = caller.via;
    let cancelled = call
        .request
        .database(move |db| {
            service::cancel::cancel(db, &caller, job, reason.as_deref(), CancelLimit::Any)
        })
        .await?;
    let api = &call.request.api;
    api.metrics.cancel_answered(via, cancelled.outcome);
    match cancelled.outcome {
        Outcome::Cancelled | Outcome::Cancelling => {
            let data = wire::Cancelled {
                job_id: call.request.part("jobId").to_owned(),
                status: map::word(JobState::Cancelled),
            };
            wire::success(&call.request, StatusCode::OK, data)
        }
        Outcome::Already | Outcome::Refused => {
            let status = cancelled.state.map_or("unknown", map::word);
            Err(Fault::refused(
                format!("the job cannot be cancelled: its status is {status}"),
                cancelled.state,
            ))
        }
        Outcome::Missing => Err(path::unknown(&call)),
    }
}
