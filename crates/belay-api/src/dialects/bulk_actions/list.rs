//! `GET /api/actions/bulk/jobs`

use actix_web::http::{Method, StatusCode};
use belay_core::JobState;

use super::map::Status;
use super::wire;
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, Query, Verb, json};
use crate::service;

/// Jobs on a page when the caller does not say, and at most.
const USUAL_PAGE: i64 = 50;
const LARGEST_PAGE: i64 = 200;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::BulkRead, |call| {
        Box::pin(list_bulk_actions(call))
    })
}

/// List bulk actions
///
/// The jobs of every tenant the API key may touch, newest first.
#[utoipa::path(
    get, path = "/api/actions/bulk/jobs", tag = "bulk-actions",
    params(
        ("status" = Option<wire::BulkStatus>, Query, description = "Only jobs of this status"),
        ("limit" = Option<i64>, Query, description = "Jobs on a page; 50 when left out", minimum = 1, maximum = 200),
        ("offset" = Option<i64>, Query, description = "Jobs to leave out first; 0 when left out", minimum = 0),
    ),
    responses((status = 200, description = "A page of jobs", body = wire::BulkActions)),
)]
pub(super) async fn list_bulk_actions(call: Call) -> Answer {
    let query = call.query(&["status", "limit", "offset"])?;
    let states = states(&query)?;
    let limit = query.number("limit", USUAL_PAGE, 1..=LARGEST_PAGE)?;
    let offset = query.number("offset", 0, 0..=i64::MAX - LARGEST_PAGE)?;
    let grant = call.grant.clone();
    let (actions, total) = call
        .request
        .database(move |db| service::bulk::page(db, &grant, states, offset, limit))
        .await?;
    let jobs = actions.into_iter().map(wire::BulkAction::from).collect();
    json(StatusCode::OK, &wire::BulkActions { jobs, total })
}

fn states(query: &Query) -> Result<Vec<JobState>, Fault> {
    let Some(word) = query.text("status") else {
        return Ok(Vec::new());
    };
    Status::parse(word).map(Status::states).ok_or_else(|| {
        let shown: String = word.chars().take(60).collect();
        let words = Status::ALL.map(Status::as_str).join(", ");
        Fault::malformed(format!("status is {shown:?}, it must be one of {words}")).field("status")
    })
}
