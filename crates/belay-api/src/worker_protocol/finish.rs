//! `POST /belay/v1/worker/{worker}/finish`

use std::sync::Arc;

use actix_web::http::{Method, StatusCode};
use belay_core::Error;
use belay_core::ops::Settled;
use belay_core::ops::remote::Report;
use utoipa::ToSchema;

use super::hub::{Out, Remote};
use super::shown::OutputRequest;
use super::{hub, report, wire, worker};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb, json};
use crate::native::Problem;
use crate::service;
use crate::service::remote::Answer as Became;

/// A body of many reports with outputs.
const LIMIT: usize = 16 * MEBIBYTE;
/// Most reports in one request.
const MOST: usize = 1000;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Worker, |call| {
        Box::pin(finish_jobs(call))
    })
}

/// Reports on attempts.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"results": [{"id": 77, "fence": 1, "outcome": "completed"}, {"id": 78, "fence": 3, "outcome": "failed", "error": "no such address"}]}))]
pub(crate) struct FinishRequest {
    /// 1 to 1000 reports.
    #[schema(value_type = Vec<FinishReport>, min_items = 1, max_items = 1000)]
    results: Vec<Report>,
}

/// A report on one attempt.
#[derive(Debug, ToSchema)]
pub(crate) struct FinishReport {
    #[expect(dead_code, reason = "only for the document")]
    id: i64,
    /// The fence it was claimed with.
    #[expect(dead_code, reason = "only for the document")]
    fence: i32,
    /// `completed`, `failed`, `cancelled` (it was stopped, and nothing of it is left) or `snoozed` (it asks to be run again later).
    #[expect(dead_code, reason = "only for the document")]
    outcome: String,
    /// Why it failed.
    #[expect(dead_code, reason = "only for the document")]
    error: Option<String>,
    /// Whether one that failed may be tried again; `true` when left out.
    #[expect(dead_code, reason = "only for the document")]
    retry: Option<bool>,
    /// Seconds to wait. Of one that failed: instead of what the kind says. One that is snoozed needs it.
    #[schema(minimum = 0, maximum = 31_536_000)]
    #[expect(dead_code, reason = "only for the document")]
    delay_s: Option<f64>,
    /// Whether it failed because its time was over.
    #[expect(dead_code, reason = "only for the document")]
    timed_out: Option<bool>,
    /// What it took to stop it: `cooperative` (when left out), `term` or `kill`.
    #[expect(dead_code, reason = "only for the document")]
    rung: Option<String>,
    #[expect(dead_code, reason = "only for the document")]
    output: Option<OutputRequest>,
}

impl FinishRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        let list = members.needed_list("results", MOST)?;
        if list.is_empty() {
            return Err(Fault::invalid(
                "results",
                "results is empty; it must have 1 to 1000 entries",
            ));
        }
        let mut results = Vec::with_capacity(list.len());
        for (i, raw) in list.into_iter().enumerate() {
            let place = format!("results[{i}]");
            let mut members = Members::of(raw.get(), &place)?;
            let id = members.needed_within("id", 1, i64::MAX)?;
            results.push(report::take(&mut members, id, &format!("{place}."))?);
            members.end()?;
        }
        Ok(Self { results })
    }
}

/// Report on jobs
///
/// Each report is settled on its own. A job that was cancelled before ends as `cancelled`, whatever is reported.
#[utoipa::path(
    post, path = "/belay/v1/worker/{worker}/finish", tag = "worker",
    params(("worker" = i64, Path, description = "Number of the worker", example = 7)),
    request_body = FinishRequest,
    responses(
        (status = 200, description = "All were taken", body = wire::Results),
        (status = 409, description = "Some were not taken; the member `results` has an answer for each, as in 200", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn finish_jobs(mut call: Call) -> Answer {
    call.query(&[])?;
    let worker = worker(&call).await?;
    let request = call
        .body(LIMIT, Need::Required, FinishRequest::take)
        .await?;
    let (id, reports) = (worker.id, Arc::new(request.results));
    // From now on nobody shall miss them: an event stream would take what has ended for lost.
    let mut outs: Vec<Option<Out>> = reports
        .iter()
        .map(|report| worker.done((report.id, report.fence)))
        .collect();
    let answers = {
        let reports = Arc::clone(&reports);
        hub(&call)
            .sessions
            .run(move |session| service::remote::finish(session, id, &reports))
            .await?
    };
    if answers.iter().all(|answer| *answer == Became::Busy) {
        return Err(Error::Busy("the reported jobs are locked".into()).into());
    }
    count(&call, &worker, &reports, &answers, &mut outs);
    let results: Vec<wire::Taken> = reports
        .iter()
        .zip(&answers)
        .map(|(report, answer)| taken(report.id, report.fence, *answer))
        .collect();
    let refused = results.iter().filter(|taken| !taken.accepted).count();
    if refused == 0 {
        return json(StatusCode::OK, &wire::Results { results });
    }
    let list = serde_json::to_value(&results).map_err(|e| Fault::internal(e.to_string()))?;
    Err(Fault::refused(
        format!(
            "{refused} of {} reports were not taken; the member results says which, and why",
            results.len()
        ),
        None,
    )
    .with("results", list))
}

pub(super) fn taken(id: i64, fence: i32, answer: Became) -> wire::Taken {
    let (state, reason) = match answer {
        Became::Settled(Settled::Now(state)) => (Some(state), None),
        Became::Settled(Settled::Held) => (None, Some("suspended")),
        Became::Settled(Settled::Stale) => (None, Some("fenced_out")),
        Became::Busy => (None, Some("busy")),
    };
    wire::Taken {
        id,
        fence,
        accepted: state.is_some(),
        state,
        reason,
    }
}

/// Figures, and what the worker does not hold any more.
fn count(
    call: &Call,
    worker: &Remote,
    reports: &[Report],
    answers: &[Became],
    outs: &mut [Option<Out>],
) {
    let metrics = &call.request.api.metrics;
    for ((report, answer), out) in reports.iter().zip(answers).zip(outs) {
        match answer {
            Became::Settled(Settled::Now(state)) => {
                if let (Some(out), Some(outcome)) = (out, report::outcome(*state, &report.said)) {
                    let ran = out.since.elapsed().as_secs_f64();
                    metrics.finished(&out.queue, &out.kind, outcome, ran);
                }
            }
            Became::Settled(Settled::Stale) => metrics.stale_report(),
            Became::Settled(Settled::Held) | Became::Busy => {
                worker.holds((report.id, report.fence), out.take());
            }
        }
    }
}
