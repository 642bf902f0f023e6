//! `GET /api/{version}/services/jobs/histories`

use actix_web::http::Method;

use super::list::{List, page};
use super::map;
use super::wire::Jobs;
use crate::auth::Scope;
use crate::http::{Answer, Call, Verb};

const LIST: List = List {
    name: "histories",
    states: |state| state.is_terminal(),
    word: map::finished,
    words: map::FINISHED,
};

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::VaultRead, |call| {
        Box::pin(list_histories(call))
    })
}

/// List finished jobs
///
/// Newest first.
#[utoipa::path(
    get, path = "/api/{version}/services/jobs/histories", tag = "vault",
    params(
        ("start_date" = Option<String>, Query, description = "Only jobs made at this time or later", example = "2026-12-24T18:00:00Z"),
        ("end_date" = Option<String>, Query, description = "Only jobs made at this time or before", example = "2026-12-24T19:00:00Z"),
        ("status" = Option<String>, Query, description = "Only jobs of this status: success, errors_encountered, cancelled, or one of the words for which there never are any"),
        ("limit" = Option<i64>, Query, description = "Jobs on a page; 50 when left out", minimum = 1, maximum = 200),
        ("offset" = Option<i64>, Query, description = "Jobs left out before the page; 0 when left out", minimum = 0),
    ),
    responses((status = 200, description = "A page of jobs", body = Jobs)),
)]
pub(super) async fn list_histories(call: Call) -> Answer {
    page(call, &LIST).await
}
