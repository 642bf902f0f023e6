//! `GET /v1/jobs`

use actix_web::http::{Method, StatusCode};
use belay_core::JobState;
use belay_core::query::JobFilter;

use super::page::{NUMBER, Page, SIZE, Wanted};
use super::{map, path, wire};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, Query, Verb, json};
use crate::service;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::JobsRead, |call| {
        Box::pin(list_customer_jobs(call))
    })
}

/// List jobs
///
/// Newest first. The total is exact up to 100,000 unfinished and as many finished jobs, and stays there above.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "customer jobs",
    params(
        ("pageNumber" = Option<i64>, Query, description = "From 1; 1 when left out", minimum = 1, maximum = 2_147_483),
        ("pageSize" = Option<i64>, Query, description = "Jobs on a page; 100 when left out", minimum = 1, maximum = 1000),
        ("status" = Option<String>, Query, description = "Only jobs of this status"),
    ),
    responses((status = 200, description = "A page of jobs", body = wire::Job)),
)]
pub(super) async fn list_customer_jobs(call: Call) -> Answer {
    let query = call.query(&[NUMBER, SIZE, "status"])?;
    let wanted = Wanted::of(&query)?;
    let states = states(&query)?;
    let customer = path::customer(&call)?;
    let caller = path::access(&call, customer).await?;
    let Some(states) = states else {
        return json(
            StatusCode::OK,
            &Page::<wire::Job>::new(wanted, Vec::new(), 0),
        );
    };
    let filter = JobFilter {
        states,
        without_payload: true,
        ..JobFilter::default()
    };
    let (jobs, total, attributes) = call
        .request
        .database(move |db| {
            let (jobs, total) =
                service::read::page(db, &caller, &filter, wanted.offset(), wanted.size)?;
            let ids: Vec<i64> = jobs.iter().map(|job| job.id).collect();
            let attributes = service::read::attributes(db, &ids)?;
            Ok((jobs, total, attributes))
        })
        .await?;
    let items = jobs
        .iter()
        .map(|job| wire::Job::new(job, attributes.get(&job.id)))
        .collect();
    json(StatusCode::OK, &Page::new(wanted, items, total))
}

/// The states asked for, empty for all; `None` when no job can be meant.
fn states(query: &Query) -> Result<Option<Vec<JobState>>, Fault> {
    let Some(word) = query.text("status") else {
        return Ok(Some(Vec::new()));
    };
    match map::states(word) {
        Some(states) if states.is_empty() => Ok(None),
        Some(states) => Ok(Some(states)),
        None => {
            let shown: String = word.chars().take(60).collect();
            let words = [map::WORDS.as_slice(), map::NEVER.as_slice()].concat();
            Err(Fault::malformed(format!(
                "status is {shown:?}, it must be one of {}",
                words.join(", ")
            ))
            .field("status"))
        }
    }
}
