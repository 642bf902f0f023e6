//! `POST` and `PUT /v1/jobs/{jobId}/cancel`

use actix_web::http::Method;
use belay_core::JobState;
use belay_core::ops::{CancelLimit, Outcome, check_reason};
use utoipa::ToSchema;

use super::{map, path};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, Members, Verb, no_content};
use crate::service;

pub(super) fn verbs() -> Vec<Verb> {
    [Method::POST, Method::PUT]
        .into_iter()
        .map(|method| {
            Verb::keyed(method, Scope::JobsWrite, |call| {
                Box::pin(cancel_customer_job(call))
            })
        })
        .collect()
}

/// Why a job is cancelled.
#[derive(Debug, ToSchema)]
#[schema(as = JobsCancelRequest, example = json!({"reason": "the customer has moved"}))]
pub(super) struct CancelRequest {
    /// 1 to 1000 characters; goes on record.
    reason: Option<String>,
}

impl CancelRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        let reason = members.text("reason")?;
        let reason = reason.map(|reason| reason.trim().to_owned());
        if reason.as_deref() == Some("") {
            return Err(Fault::invalid(
                "reason",
                "reason is empty; it must have 1 to 1000 characters, or be left out",
            ));
        }
        check_reason(reason.as_deref())?;
        Ok(Self { reason })
    }
}

/// Cancel a job
///
/// A job that has ever been started, or has ended, cannot be cancelled. Cancelling one that is already cancelled and was never started
/// changes nothing and is answered alike.
#[utoipa::path(
    post, path = "/v1/jobs/{jobId}/cancel", tag = "customer jobs",
    request_body = CancelRequest,
    responses((status = 204, description = "It is cancelled")),
)]
pub(super) async fn cancel_customer_job(mut call: Call) -> Answer {
    let (caller, job) = path::about(&call).await?;
    let CancelRequest { reason } = call.body_for(&caller, job, CancelRequest::take).await?;
    let via = caller.via;
    let cancelled = call
        .request
        .database(move |db| {
            let limit = CancelLimit::NeverStarted;
            service::cancel::cancel(db, &caller, job, reason.as_deref(), limit)
        })
        .await?;
    let api = &call.request.api;
    api.metrics.cancel_answered(via, cancelled.outcome);
    match cancelled.outcome {
        Outcome::Cancelled | Outcome::Cancelling => Ok(no_content()),
        Outcome::Already if !cancelled.started => Ok(no_content()),
        Outcome::Already | Outcome::Refused => {
            let status = cancelled.state.map_or("unknown", map::word);
            let waits = matches!(
                cancelled.state,
                Some(JobState::Scheduled | JobState::Queued | JobState::Cancelled)
            );
            let why = if waits && cancelled.started {
                ", and it has been started before"
            } else {
                ""
            };
            Err(Fault::refused(
                format!("the job cannot be cancelled: its status is {status}{why}"),
                cancelled.state,
            ))
        }
        Outcome::Missing => Err(Fault::not_found(format!("there is no job {job}"))),
    }
}
