//! `GET /api/{version}/services/jobs/monitors`

use actix_web::http::Method;

use super::list::{List, page};
use super::map;
use super::wire::Jobs;
use crate::auth::Scope;
use crate::http::{Answer, Call, Verb};

const LIST: List = List {
    name: "monitors",
    states: |state| !state.is_terminal(),
    word: map::unfinished,
    words: map::UNFINISHED,
};

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::VaultRead, |call| {
        Box::pin(list_monitors(call))
    })
}

/// List unfinished jobs
///
/// Newest first.
#[utoipa::path(
    get, path = "/api/{version}/services/jobs/monitors", tag = "vault",
    params(
        ("start_date" = Option<String>, Query, description = "Only jobs made at this time or later", example = "2026-12-24T18:00:00Z"),
        ("end_date" = Option<String>, Query, description = "Only jobs made at this time or before", example = "2026-12-24T19:00:00Z"),
        ("status" = Option<String>, Query, description = "Only jobs of this status: scheduled, queued, queueing, running or cancelling"),
        ("limit" = Option<i64>, Query, description = "Jobs on a page; 50 when left out", minimum = 1, maximum = 200),
        ("offset" = Option<i64>, Query, description = "Jobs left out before the page; 0 when left out", minimum = 0),
    ),
    responses((status = 200, description = "A page of jobs", body = Jobs)),
)]
pub(super) async fn list_monitors(call: Call) -> Answer {
    page(call, &LIST).await
}
