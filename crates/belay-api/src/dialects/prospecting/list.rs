//! `GET /v1/accounts/{accountGroupId}/prospecting`

use actix_web::http::{Method, StatusCode};
use belay_core::query::JobFilter;

use super::{map, path, wire};
use crate::auth::Scope;
use crate::http::{Answer, Call, Cursor, Fault, Query, Verb};
use crate::service;

const USUAL_PAGE: i64 = 20;
const MAX_PAGE: i64 = 100;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::ProspectingRead, |call| {
        Box::pin(list_prospecting_jobs(call))
    })
}

/// List jobs
///
/// Newest first. A walk along `nextCursor` meets every job that exists throughout exactly once.
#[utoipa::path(
    get, path = "/v1/accounts/{accountGroupId}/prospecting", tag = "prospecting",
    params(
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<i64>, Query, description = "Jobs on a page; 20 when left out", minimum = 1, maximum = 100),
        ("status" = Option<String>, Query, description = "`queued`, `running`, `cancelled`, `completed` or `failed`"),
    ),
    responses((status = 200, description = "The jobs are `items` of the page; `nextCursor` is null on the last one", body = wire::Item)),
)]
pub(super) async fn list_prospecting_jobs(call: Call) -> Answer {
    let group = path::group(&call)?;
    let query = call.query(&["cursor", "limit", "status"])?;
    let limit = query.number("limit", USUAL_PAGE, 1..=MAX_PAGE)?;
    let filter = JobFilter {
        states: states(&query)?,
        before: query
            .value("cursor", "the nextCursor of another page")?
            .map(|Cursor(id)| id),
        ..JobFilter::default()
    };
    let caller = path::access(&call, group).await?;
    // One more than asked for is read, to know whether there is one; what is large may be fewer.
    let (mut seen, has_more) = call
        .request
        .database(move |db| service::read::list(db, &caller, &filter, limit.saturating_add(1)))
        .await?;
    if seen.len() as i64 > limit {
        seen.pop();
    }
    let next_cursor = seen
        .last()
        .filter(|_| has_more)
        .map(|last| Cursor(last.job.id).to_string());
    let page = wire::Page {
        items: seen.iter().map(wire::Item::from).collect(),
        next_cursor,
        has_more,
    };
    wire::success(&call.request, StatusCode::OK, page)
}

fn states(query: &Query) -> Result<Vec<belay_core::JobState>, Fault> {
    let Some(word) = query.text("status") else {
        return Ok(Vec::new());
    };
    map::states(word).ok_or_else(|| {
        let shown: String = word.chars().take(60).collect();
        let words = map::WORDS.join(", ");
        Fault::malformed(format!("status is {shown:?}, it must be one of {words}")).field("status")
    })
}
