//! `GET /v1/jobs/{jobId}/statusHistory`

use actix_web::http::{Method, StatusCode};

use super::page::{NUMBER, Page, SIZE, Wanted};
use super::{changes, path};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, Query, Verb, json};
use crate::service;

const SORT: &str = "sortBy";
const DIRECTION: &str = "direction";

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::JobsRead, |call| {
        Box::pin(get_customer_job_history(call))
    })
}

/// See how the status of a job changed
///
/// One entry for each change of the status. The reason of a cancel is its comment.
#[utoipa::path(
    get, path = "/v1/jobs/{jobId}/statusHistory", tag = "customer jobs",
    params(
        ("sortBy" = Option<String>, Query, description = "`createdAt`"),
        ("direction" = Option<String>, Query, description = "`ascending`, as when left out, or `descending`"),
        ("pageNumber" = Option<i64>, Query, description = "From 1; 1 when left out", minimum = 1, maximum = 2_147_483),
        ("pageSize" = Option<i64>, Query, description = "Entries on a page; 100 when left out", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "A page of changes", body = changes::Change)),
)]
pub(super) async fn get_customer_job_history(call: Call) -> Answer {
    let query = call.query(&[SORT, DIRECTION, NUMBER, SIZE])?;
    let wanted = Wanted::of(&query)?;
    one_of(&query, SORT, &["createdAt"])?;
    let descending = one_of(&query, DIRECTION, &["ascending", "descending"])? == Some(1);
    let (caller, job) = path::about(&call).await?;
    let (job, events) = call
        .request
        .database(move |db| service::read::with_life(db, &caller, &job))
        .await?;
    let mut all = changes::of(&job, &events);
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    if descending {
        all.reverse();
    }
    let skip = usize::try_from(wanted.offset()).unwrap_or(usize::MAX);
    let take = usize::try_from(wanted.size).unwrap_or(usize::MAX);
    let items = all.into_iter().skip(skip).take(take).collect();
    json(StatusCode::OK, &Page::new(wanted, items, total))
}

/// Which of these words a parameter is.
fn one_of(query: &Query, name: &'static str, words: &[&str]) -> Result<Option<usize>, Fault> {
    let Some(text) = query.text(name) else {
        return Ok(None);
    };
    let place = words.iter().position(|word| *word == text);
    place.map(Some).ok_or_else(|| {
        let shown: String = text.chars().take(60).collect();
        let words = words.join(" or ");
        Fault::malformed(format!("{name} is {shown:?}, it must be {words}")).field(name)
    })
}
