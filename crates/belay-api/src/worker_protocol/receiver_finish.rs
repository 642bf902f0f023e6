//! `POST /belay/v1/worker/jobs/{id}/finish`

use actix_web::http::{Method, StatusCode};
use belay_core::ops::remote::{Received, Report};
use belay_core::ops::{Actor, Settled};

use super::finish::FinishReport;
use super::{report, wire};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb, json};
use crate::native::Problem;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Worker, |call| {
        Box::pin(finish_job(call))
    })
}

fn take(members: &mut Members<'_>) -> Result<Report, Fault> {
    // The path names the job.
    report::take(members, 0, "")
}

/// Report on a job that was received
///
/// For whoever was handed a job by the executor `http` and answered 202. The fence is the one from the header of that request.
#[utoipa::path(
    post, path = "/belay/v1/worker/jobs/{id}/finish", tag = "worker",
    request_body = FinishReport,
    responses(
        (status = 200, description = "It was taken", body = wire::Taken),
        (status = 409, description = "It was not: `reason` is `fenced_out` or `suspended`; or the job is not run by the executor `http`", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn finish_job(mut call: Call) -> Answer {
    call.query(&[])?;
    let job = call.job()?;
    let report = call.body(MEBIBYTE, Need::Required, take).await?;
    let fence = report.fence;
    let actor = Actor::new(&call.grant.name, call.request.via);
    let grant = std::sync::Arc::clone(&call.grant);
    let (id, received) = call
        .request
        .database(move |db| service::remote::receiver_finish(db, &grant, job, &report, &actor))
        .await?;
    let metrics = &call.request.api.metrics;
    let settled = match received {
        Received::Now(state) => Settled::Now(state),
        Received::Suspended => Settled::Held,
        Received::FencedOut => {
            metrics.stale_report();
            Settled::Stale
        }
    };
    answer(&super::finish::taken(
        id,
        fence,
        service::remote::Answer::Settled(settled),
    ))
}

/// A report that was taken, or the problem that says why not.
pub(super) fn answer(taken: &wire::Taken) -> Answer {
    let Some(reason) = taken.reason else {
        return json(StatusCode::OK, taken);
    };
    let words = match reason {
        "suspended" => "is suspended; report again when it goes on",
        _ => "is not held under that fence any more; stop the work and do not report again",
    };
    Err(Fault::refused(format!("job {} {words}", taken.id), None)
        .with("id", taken.id)
        .with("fence", taken.fence)
        .with("accepted", false)
        .with("reason", reason))
}
