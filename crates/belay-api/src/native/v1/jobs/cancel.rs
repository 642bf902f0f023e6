//! `POST /belay/v1/jobs/{id}/cancel`

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use belay_core::JobState;
use belay_core::ops::{CancelLimit, Outcome};
use utoipa::ToSchema;

use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, Members, Verb, json, wait_seconds};
use crate::native::Problem;
use crate::native::v1::wire;
use crate::service;
use crate::service::cancel::Cancelled;

const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Write, |call| {
        Box::pin(cancel_job(call))
    })
}

/// How to cancel.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"reason": "asked for by the customer"}))]
pub(crate) struct CancelRequest {
    /// Why; goes on record, up to 1000 characters.
    reason: Option<String>,
    /// Ends the job without waiting for its worker, which may still be running its code. Needs the scope `admin`; false when left out.
    force: Option<bool>,
}

impl CancelRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        Ok(Self {
            reason: members.text("reason")?,
            force: Some(members.flag("force")?),
        })
    }
}

/// Cancel a job
///
/// A job that waits has ended with the answer. A job that runs is `cancelling`: its worker is told to stop, and whatever it does, the job ends
/// as `cancelled`. A repeated cancel changes nothing; the first reason, actor and time stay.
#[utoipa::path(
    post, path = "/belay/v1/jobs/{id}/cancel", tag = "jobs",
    params(("Prefer" = Option<String>, Header, description = "`wait=N` waits up to N seconds (1 to 60) for the job to end", example = "wait=10")),
    request_body = CancelRequest,
    responses(
        (status = 200, description = "Accepted now or before", body = wire::CancelAnswer,
         headers(("Preference-Applied" = String, description = "`wait=N` when it was asked to wait"))),
        (status = 404, description = "There is no such job; `outcome` is `missing`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has finished; `outcome` is `refused`", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn cancel_job(mut call: Call) -> Answer {
    let query = call.query(&["tenant"])?;
    let job = call.job()?;
    let asked = call.request.part("id").to_owned();
    let wait = wait_seconds(call.request.headers());
    let caller = call.caller(&query).await?;
    let request = call.body_for(&caller, job, CancelRequest::take).await?;
    let force = request.force == Some(true);
    if force {
        call.require(Scope::Admin)?;
    }
    let who = caller.clone();
    let mut cancelled = call
        .request
        .database(move |db| {
            let reason = request.reason.as_deref();
            if force {
                service::cancel::force(db, &who, job, reason)
            } else {
                service::cancel::cancel(db, &who, job, reason, CancelLimit::Any)
            }
        })
        .await?;
    call.request
        .api
        .metrics
        .cancel_answered(caller.via, cancelled.outcome);
    if let Some(seconds) = wait
        && cancelled.state == Some(JobState::Cancelling)
    {
        cancelled.state = call
            .end_of(&caller, cancelled.id, seconds)
            .await
            .or(cancelled.state);
    }
    let mut answer = answer(&cancelled, &asked)?;
    if let Some(seconds) = wait {
        let applied = HeaderValue::try_from(format!("wait={seconds}"))
            .map_err(|e| Fault::internal(e.to_string()))?;
        answer.headers_mut().insert(APPLIED, applied);
    }
    Ok(answer)
}

fn answer(cancelled: &Cancelled, asked: &str) -> Result<HttpResponse, Fault> {
    let message = cancelled.words();
    let fault = match cancelled.outcome {
        Outcome::Cancelled | Outcome::Cancelling | Outcome::Already => {
            return json(StatusCode::OK, &wire::CancelAnswer::from(cancelled));
        }
        Outcome::Refused => {
            Fault::refused(format!("job {} {message}", cancelled.id), cancelled.state)
                .with("id", cancelled.id)
                .with("was", cancelled.was.map(JobState::as_str))
        }
        Outcome::Missing => Fault::not_found(format!("there is no job {asked}")),
    };
    Err(fault
        .with("outcome", cancelled.outcome.as_str())
        .with("message", message))
}
