//! `POST /belay/v1/worker/{worker}/beat`

use std::sync::atomic::Ordering;

use actix_web::http::{Method, StatusCode};
use belay_core::ops::remote::Shown;
use utoipa::ToSchema;

use super::shown::{self, OutputRequest, ProgressRequest};
use super::{hub, report, wire, worker, worker_lost};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb, json};
use crate::native::Problem;
use crate::service;

/// A body of many jobs with outputs.
const LIMIT: usize = 16 * MEBIBYTE;
/// More than a worker can hold: what it was given a moment ago counts too.
const MOST: usize = 20_000;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Worker, |call| Box::pin(beat(call)))
}

/// What a worker holds.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"jobs": [{"id": 77, "fence": 1, "progress": {"done": 12, "total": 31}}]}))]
pub(crate) struct BeatRequest {
    /// Every job it holds.
    #[schema(value_type = Vec<BeatJob>, max_items = 20_000)]
    jobs: Vec<Shown>,
    /// Whether it claims nothing more and is about to end.
    #[schema(required = false)]
    draining: bool,
    /// What it was given and does not name goes back to its line, with its attempt. To be sent when the answer to a claim was lost, while no
    /// claim is under way.
    #[schema(required = false)]
    check: bool,
}

/// A job that a worker holds, and what is new of it.
#[derive(Debug, ToSchema)]
pub(crate) struct BeatJob {
    #[expect(dead_code, reason = "only for the document")]
    id: i64,
    #[expect(dead_code, reason = "only for the document")]
    fence: i32,
    #[expect(dead_code, reason = "only for the document")]
    progress: Option<ProgressRequest>,
    #[expect(dead_code, reason = "only for the document")]
    output: Option<OutputRequest>,
}

impl BeatRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        let mut jobs = Vec::new();
        for (i, raw) in members.needed_list("jobs", MOST)?.into_iter().enumerate() {
            let place = format!("jobs[{i}]");
            let mut job = Members::of(raw.get(), &place)?;
            let place = format!("{place}.");
            let key = (
                job.needed_within("id", 1, i64::MAX)?,
                report::fence(&mut job)?,
            );
            let mut progress = shown::progress(&mut job, &place)?;
            if let Some(row) = &mut progress {
                (row.job, row.fence) = key;
            }
            let output = shown::output(&mut job, &place)?;
            job.end()?;
            jobs.push((key, output, progress));
        }
        Ok(Self {
            jobs,
            draining: members.flag("draining")?,
            check: members.flag("check")?,
        })
    }
}

/// Renew a worker's lease
///
/// Once for all its jobs. The answer says everything that is wanted of it.
#[utoipa::path(
    post, path = "/belay/v1/worker/{worker}/beat", tag = "worker",
    params(("worker" = i64, Path, description = "Number of the worker", example = 7)),
    request_body = BeatRequest,
    responses(
        (status = 200, description = "The lease was renewed", body = wire::Beat),
        (status = 409, description = "The lease is over (`outcome` is `worker_lost`): stop all work and register anew", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn beat(mut call: Call) -> Answer {
    call.query(&[])?;
    let worker = worker(&call).await?;
    let request = call.body(LIMIT, Need::Required, BeatRequest::take).await?;
    let keys: Vec<(i64, i32)> = request.jobs.iter().map(|job| job.0).collect();
    worker.names(&keys);
    let id = worker.id;
    let told = hub(&call)
        .sessions
        .run(move |session| {
            let mut shown = request.jobs;
            shown.retain(|(_, output, progress)| output.is_some() || progress.is_some());
            service::remote::beat(session, id, &keys, request.draining, &shown, request.check)
        })
        .await?;
    let Some((told, checks)) = told else {
        return Err(worker_lost(&call, &worker));
    };
    if let Some(checks) = checks {
        worker.checks.fetch_max(checks, Ordering::AcqRel);
    }
    for key in &told.lost {
        worker.done(*key);
    }
    let (suspend, cancel): (Vec<_>, Vec<_>) = told.signals.iter().partition(|s| s.suspend);
    let answer = wire::Beat {
        lease_s: told.beaten.lease.as_secs_f64(),
        cancel: cancel.into_iter().map(wire::Cancel::from).collect(),
        suspend: suspend
            .into_iter()
            .map(|s| wire::Held::from((s.id, s.fence)))
            .collect(),
        lost: told.lost.into_iter().map(wire::Held::from).collect(),
        drain: told.beaten.drain,
    };
    json(StatusCode::OK, &answer)
}
