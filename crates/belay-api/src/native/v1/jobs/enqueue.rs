//! `POST /belay/v1/jobs`

use actix_web::http::header::{HeaderMap, HeaderValue, LOCATION};
use actix_web::http::{Method, StatusCode};
use belay_core::ops::NewJob;
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Request, Verb, json};
use crate::native::v1::{BASE, wire};
use crate::service;
use crate::service::read::Seen;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Write, |call| {
        Box::pin(enqueue_job(call))
    })
}

/// A job to be made. What is left out comes from the kind's registration.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"kind": "report", "payload": {"month": "2026-11"}, "run_at": "2026-12-01T06:00:00Z", "unique_key": "report-2026-11"}))]
pub(super) struct JobRequest {
    /// What the job is; must be registered.
    kind: String,
    /// Any JSON, up to 1 MiB; `{}` when left out. Its value is kept, not its text: members may come back in another order and numbers
    /// in another form.
    #[schema(value_type = serde_json::Value, required = false)]
    payload: Option<Box<RawValue>>,
    /// 1 to 100 letters, digits and `._:-`.
    queue: Option<String>,
    /// From 0 (first) to 9 (last).
    #[schema(minimum = 0, maximum = 9)]
    priority: Option<i16>,
    /// Not before this time; a time in the past means now.
    #[schema(value_type = Option<String>, format = DateTime)]
    run_at: Option<DateTime<Utc>>,
    /// Attempts in all.
    #[schema(minimum = 1, maximum = 1000)]
    max_attempts: Option<i16>,
    /// Seconds one attempt may take.
    #[schema(minimum = 1, maximum = 31_536_000)]
    timeout_s: Option<i32>,
    /// Seconds the whole job may take from its first start, all attempts and the waits between them together.
    #[schema(minimum = 1, maximum = 31_536_000)]
    job_timeout_s: Option<i32>,
    /// At most one unfinished job of the tenant has this key; 1 to 255 characters.
    unique_key: Option<String>,
}

impl JobRequest {
    pub(super) fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        Ok(Self {
            kind: members.needed_text("kind")?,
            payload: members.raw("payload").map(ToOwned::to_owned),
            queue: members.text("queue")?,
            priority: members.integer("priority")?,
            run_at: members.time("run_at")?,
            max_attempts: members.integer("max_attempts")?,
            timeout_s: members.integer("timeout_s")?,
            job_timeout_s: members.integer("job_timeout_s")?,
            unique_key: members.text("unique_key")?,
        })
    }
}

impl From<JobRequest> for NewJob {
    fn from(request: JobRequest) -> Self {
        Self {
            payload: request
                .payload
                .map_or_else(|| "{}".to_owned(), |raw| raw.get().to_owned()),
            queue: request.queue,
            priority: request.priority,
            run_at: request.run_at,
            max_attempts: request.max_attempts,
            timeout_s: request.timeout_s,
            job_timeout_s: request.job_timeout_s,
            unique_key: request.unique_key,
            ..Self::new(request.kind)
        }
    }
}

/// Enqueue a job
///
/// With `unique_key` the unfinished job that has the key is answered instead of a second one; with `Idempotency-Key` the job of the first
/// request with that key, for 24 hours. Members that are not known are refused.
#[utoipa::path(
    post, path = "/belay/v1/jobs", tag = "jobs",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable characters. A repeated request makes no second job."),
    ),
    request_body = JobRequest,
    responses(
        (status = 201, description = "It was made", body = wire::Job, headers(("Location" = String, description = "Where it is"))),
        (status = 200, description = "It existed already, under the same unique or idempotency key", body = wire::Job),
        (status = 409, description = "The idempotency key was used for another request", body = crate::native::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn enqueue_job(mut call: Call) -> Answer {
    let query = call.query(&["tenant"])?;
    let key = idempotency_key(call.request.headers())?;
    let caller = call.caller(&query).await?;
    let job: NewJob = call
        .body(LIMIT, Need::Required, JobRequest::take)
        .await?
        .into();
    let via = caller.via;
    let made = call
        .request
        .database(move |db| service::enqueue::enqueue(db, &caller, &job, key.as_deref()))
        .await?;
    if made.existed {
        return json(StatusCode::OK, &wire::Job::try_from(made.seen)?);
    }
    call.request.api.metrics.enqueued(via, 1);
    created(&call.request, made.seen)
}

/// The answer for a job that was made.
pub(super) fn created(request: &Request, seen: Seen) -> Answer {
    let job = wire::Job::try_from(seen)?;
    let place = format!("{}{BASE}/jobs/{}", request.api.prefix, job.id);
    let mut answer = json(StatusCode::CREATED, &job)?;
    let place = HeaderValue::try_from(place).map_err(|e| Fault::internal(e.to_string()))?;
    answer.headers_mut().insert(LOCATION, place);
    Ok(answer)
}

/// A payload of the largest size, and what is around it.
const LIMIT: usize = MEBIBYTE + 16 * 1024;

pub(super) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = value
        .to_str()
        .ok()
        .filter(|key| (1..=255).contains(&key.len()));
    match (key, values.next()) {
        (Some(key), None) => Ok(Some(key.to_owned())),
        _ => Err(Fault::malformed(
            "the header Idempotency-Key must be given once, with 1 to 255 printable ASCII characters",
        )
        .field(IDEMPOTENCY_KEY)),
    }
}
