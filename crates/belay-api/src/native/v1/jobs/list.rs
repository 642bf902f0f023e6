//! `GET /belay/v1/jobs`

use actix_web::http::{Method, StatusCode};
use belay_core::JobState;
use belay_core::query::{JobFilter, MAX_PAGE};

use crate::auth::Scope;
use crate::http::{Answer, Call, Cursor, Fault, Query, Verb, json};
use crate::native::v1::wire;
use crate::service;

/// Jobs on a page when the caller does not say.
const USUAL_PAGE: i64 = 50;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::Read, |call| Box::pin(list_jobs(call)))
}

/// List jobs
///
/// Newest first. Follow `next` to walk through all of them: every job that exists throughout the walk is met exactly once, also when it
/// finishes meanwhile.
#[utoipa::path(
    get, path = "/belay/v1/jobs", tag = "jobs",
    params(
        ("state" = Option<String>, Query, description = "Only jobs in these states, separated by commas", example = "running,cancelling"),
        ("queue" = Option<String>, Query, description = "Only jobs of this queue"),
        ("kind" = Option<String>, Query, description = "Only jobs of this kind"),
        ("limit" = Option<i64>, Query, description = "Jobs on a page; 50 when left out", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses((status = 200, description = "A page of jobs; the last page may be empty", body = wire::Jobs)),
)]
pub(crate) async fn list_jobs(call: Call) -> Answer {
    let query = call.query(&["state", "queue", "kind", "tenant", "limit", "cursor"])?;
    let limit = query.number("limit", USUAL_PAGE, 1..=MAX_PAGE)?;
    let filter = JobFilter {
        tenant: None,
        states: states(&query)?,
        queue: query.text("queue").map(ToOwned::to_owned),
        kind: query.text("kind").map(ToOwned::to_owned),
        before: query
            .value("cursor", "the `next` of another page")?
            .map(|Cursor(id)| id),
        ..JobFilter::default()
    };
    let caller = call.caller(&query).await?;
    let (seen, more) = call
        .request
        .database(move |db| service::read::list(db, &caller, &filter, limit))
        .await?;
    let next = seen
        .last()
        .filter(|_| more)
        .map(|last| Cursor(last.job.id).to_string());
    let jobs = seen
        .into_iter()
        .map(wire::Job::try_from)
        .collect::<Result<Vec<_>, Fault>>()?;
    json(StatusCode::OK, &wire::Jobs { jobs, next })
}

fn states(query: &Query) -> Result<Vec<JobState>, Fault> {
    let Some(words) = query.text("state") else {
        return Ok(Vec::new());
    };
    words
        .split(',')
        .map(|word| word.trim().parse())
        .collect::<Result<_, belay_core::state::UnknownState>>()
        .map_err(|e| Fault::malformed(e.to_string()).field("state"))
}
