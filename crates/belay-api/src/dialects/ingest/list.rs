//! `GET /api/v1/ingest/jobs`

use actix_web::http::{Method, StatusCode};
use belay_core::JobState;
use belay_core::query::ingest::{MAX_PAGE, Order};

use super::{SCOPE, answer, map, wire};
use crate::http::{Answer, Call, Fault, Query, Verb};
use crate::service;

/// Jobs on a page when the caller does not say.
const USUAL_PAGE: i64 = 20;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, SCOPE, |call| Box::pin(list_ingest_jobs(call)))
}

/// List ingest jobs
///
/// A parameter without a value is as good as none.
#[utoipa::path(
    get, path = "/api/v1/ingest/jobs", tag = "ingest",
    params(
        ("limit" = Option<i64>, Query, description = "Jobs on a page; 20 when left out", minimum = 1, maximum = 100),
        ("offset" = Option<i64>, Query, description = "Jobs left out at the beginning", minimum = 0),
        ("orderBy" = Option<String>, Query, description = "`systemModstamp` (when left out), `createdDate` and `id`: latest first; `state`, `object`, `operation` and `sourceName`. Also `orderby`"),
        ("states" = Option<String>, Query, description = "Only jobs in these states, separated by commas. Also `state`", example = "Open,UploadComplete"),
    ),
    responses((status = 200, description = "A page of jobs", body = wire::IngestJobs, content_type = "application/json;charset=UTF-8")),
)]
pub(super) async fn list_ingest_jobs(call: Call) -> Answer {
    let query = call.query(&[
        "limit", "offset", "orderBy", "orderby", "states", "state", "tenant",
    ])?;
    let limit = query.number("limit", USUAL_PAGE, 1..=MAX_PAGE)?;
    let offset = query.number("offset", 0, 0..=i64::from(i32::MAX))?;
    let order = order(&query)?;
    let states = states(&query)?;
    let caller = call.caller(&query).await?;
    let found = call
        .request
        .database(move |db| service::ingest::page(db, &caller, &states, order, offset, limit))
        .await?;
    let prefix = &call.request.api.prefix;
    let data = found
        .iter()
        .map(|row| wire::IngestJob::new(row, prefix))
        .collect();
    answer(StatusCode::OK, &wire::IngestJobs { data })
}

/// A parameter that has two spellings.
fn either<'a>(query: &'a Query, one: &str, other: &str) -> Result<Option<&'a str>, Fault> {
    match (query.text(one), query.text(other)) {
        (Some(a), Some(b)) if a != b => Err(Fault::malformed(format!(
            "{one} is {a:?} and {other} is {b:?}; give one of them"
        ))
        .field(one)),
        (a, b) => Ok(a.or(b)),
    }
}

fn order(query: &Query) -> Result<Order, Fault> {
    let Some(name) = either(query, "orderBy", "orderby")? else {
        return Ok(Order::default());
    };
    map::ORDERS
        .into_iter()
        .find_map(|(known, order)| (known == name).then_some(order))
        .ok_or_else(|| {
            let shown: String = name.chars().take(60).collect();
            let known: Vec<&str> = map::ORDERS.iter().map(|(known, _)| *known).collect();
            Fault::malformed(format!(
                "orderBy is {shown:?}, it must be one of {}",
                known.join(", ")
            ))
            .field("orderBy")
        })
}

fn states(query: &Query) -> Result<Vec<JobState>, Fault> {
    let mut states = Vec::new();
    let words = either(query, "states", "state")?.unwrap_or_default();
    for word in words
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        let found = map::states(word);
        if found.is_empty() {
            let shown: String = word.chars().take(60).collect();
            return Err(Fault::malformed(format!(
                "unknown state {shown:?}; the states are Open, UploadComplete, InProgress, Aborted, JobComplete and Failed"
            ))
            .field("states"));
        }
        states.extend(found);
    }
    Ok(states)
}
