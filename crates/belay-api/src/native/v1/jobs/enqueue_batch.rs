//! `POST /belay/v1/jobs/batch`

use actix_web::http::{Method, StatusCode};
use belay_core::ops::{MAX_ENQUEUE, NewJob};
use serde::Serialize;
use utoipa::ToSchema;

use super::enqueue::{IDEMPOTENCY_KEY, JobRequest};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb, json};
use crate::service;

/// Largest body.
const LIMIT: usize = 16 * MEBIBYTE;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Write, |call| {
        Box::pin(enqueue_jobs(call))
    })
}

/// Up to 10000 jobs to be made, all or none.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"jobs": [{"kind": "noop"}, {"kind": "sleep", "payload": {"seconds": 5}}]}))]
pub(crate) struct BatchRequest {
    #[schema(max_items = 10_000)]
    jobs: Vec<JobRequest>,
}

impl BatchRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        let list = members.needed_list("jobs", MAX_ENQUEUE)?;
        let mut jobs = Vec::with_capacity(list.len());
        for (i, raw) in list.into_iter().enumerate() {
            let mut members = Members::of(raw.get(), &format!("jobs[{i}]"))?;
            jobs.push(JobRequest::take(&mut members)?);
            members.end()?;
        }
        Ok(Self { jobs })
    }
}

/// What became of each job asked for, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"results": [{"id": 77, "existed": false}, {"id": 78, "existed": false}]}))]
pub(crate) struct BatchAnswer {
    results: Vec<BatchResult>,
}

/// A job that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchResult {
    /// Its number.
    id: i64,
    /// Whether it was there before, under the same unique key.
    existed: bool,
}

/// Enqueue many jobs
///
/// All or none are made. The body may have 16 MiB. `Idempotency-Key` is refused here: give the jobs a `unique_key` each.
#[utoipa::path(
    post, path = "/belay/v1/jobs/batch", tag = "jobs",
    request_body = BatchRequest,
    responses(
        (status = 201, description = "Jobs were made", body = BatchAnswer),
        (status = 200, description = "All of them existed already", body = BatchAnswer),
    ),
)]
pub(crate) async fn enqueue_jobs(mut call: Call) -> Answer {
    let query = call.query(&["tenant"])?;
    if call.request.headers().contains_key(IDEMPOTENCY_KEY) {
        return Err(Fault::malformed(
            "the header Idempotency-Key is not supported for batches; give each job a unique_key",
        )
        .field(IDEMPOTENCY_KEY));
    }
    let caller = call.caller(&query).await?;
    let request = call.body(LIMIT, Need::Required, BatchRequest::take).await?;
    let jobs: Vec<NewJob> = request.jobs.into_iter().map(NewJob::from).collect();
    let via = caller.via;
    let made = call
        .request
        .database(move |db| service::enqueue::enqueue_many(db, &caller, &jobs))
        .await?;
    let new = made.iter().filter(|job| !job.existed).count();
    call.request.api.metrics.enqueued(via, new as u64);
    let results = made
        .into_iter()
        .map(|job| BatchResult {
            id: job.id,
            existed: job.existed,
        })
        .collect();
    let status = if new > 0 {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    json(status, &BatchAnswer { results })
}
