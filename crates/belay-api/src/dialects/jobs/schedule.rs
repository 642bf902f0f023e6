//! `PUT /v1/jobs/{jobId}/schedule`

use actix_web::http::Method;
use chrono::{DateTime, Utc};
use utoipa::ToSchema;

use super::{path, problem};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, Kind, Members, Verb, no_content};
use crate::service;

const PLANNED: &str = "plannedStartAt";

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::PUT, Scope::JobsWrite, |call| {
        Box::pin(schedule_customer_job(call))
    })
}

/// From when a job may run.
#[derive(Debug, ToSchema)]
#[schema(as = JobsScheduleRequest, example = json!({"plannedStartAt": "2026-12-24T18:00:00Z"}))]
pub(super) struct ScheduleRequest {
    /// `null` or a time in the past: from now.
    #[schema(rename = "plannedStartAt", value_type = Option<String>, format = DateTime, required = true)]
    planned_start_at: Option<DateTime<Utc>>,
}

impl ScheduleRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        if !members.has(PLANNED) {
            return Err(Fault::invalid(
                PLANNED,
                format!("{PLANNED} is missing; it must be a time, or null for now"),
            ));
        }
        Ok(Self {
            planned_start_at: members.time_to_keep(PLANNED)?,
        })
    }
}

/// Plan a job
///
/// Only a job that was never started can be planned, and one whose status is `sent` cannot be put off any more. One that is `scheduled`
/// becomes `sent` with `null` or a time in the past.
#[utoipa::path(
    put, path = "/v1/jobs/{jobId}/schedule", tag = "customer jobs",
    request_body = ScheduleRequest,
    responses((status = 204, description = "It is planned so")),
)]
pub(super) async fn schedule_customer_job(mut call: Call) -> Answer {
    let (caller, job) = path::about(&call).await?;
    let asked = call.body_for(&caller, job, ScheduleRequest::take).await?;
    let planned = call
        .request
        .database(move |db| service::external::schedule(db, &caller, job, asked.planned_start_at));
    match planned.await {
        Ok(_) => Ok(no_content()),
        // In the words of the core, which call it otherwise.
        Err(fault) if fault.kind == Kind::Invalid => Err(fault.field(PLANNED)),
        Err(fault) => Err(problem::in_words(fault)),
    }
}
