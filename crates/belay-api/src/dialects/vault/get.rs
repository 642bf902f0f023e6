//! `GET /api/{version}/services/jobs/{job_id}`

use actix_web::http::Method;

use super::answer::answer;
use super::job::{caller, find, number};
use super::map;
use super::versions::path_of;
use super::wire::{JobData, JobStatus, Link, Status};
use crate::auth::Scope;
use crate::http::{Answer, Call, Verb};
use crate::time::Time;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::VaultRead, |call| {
        Box::pin(get_status(call))
    })
}

/// Get a job
///
/// With the setting `vault.status_interval`, a session that asks for the same job too soon again is answered `API_LIMIT_EXCEEDED`.
#[utoipa::path(
    get, path = "/api/{version}/services/jobs/{job_id}", tag = "vault",
    responses((status = 200, description = "Where it stands", body = JobStatus)),
)]
pub(super) async fn get_status(call: Call) -> Answer {
    let id = number(&call)?;
    let caller = caller(&call).await?;
    let job = find(&call, &caller, id).await?;
    // After it was found, so that nobody fills the memory with numbers of no jobs.
    call.request
        .api
        .vault_looks
        .check((call.grant.key, id))
        .map_err(|mut fault| {
            let seconds = fault.about.retry_after.unwrap_or(1);
            fault.detail =
                format!("Job [{id}] was asked for a moment ago; ask again in {seconds} s");
            fault
        })?;
    let data = JobData {
        id,
        status: map::status(job.state),
        method: "POST",
        links: vec![Link {
            rel: "self",
            href: path_of(&call.request, &format!("/services/jobs/{id}")),
            method: "GET",
            accept: "application/json",
        }],
        created_by: job.created_by,
        created_date: Time(job.created_at),
        run_start_date: job.started_at.map(Time),
        run_end_date: job.finished_at.map(Time),
    };
    answer(
        &call.request,
        &JobStatus {
            response_status: Status::Success,
            response_message: "OK",
            data,
        },
    )
}
