//! `GET /api/{version}/services/jobs/{job_id}/tasks`

use actix_web::http::Method;

use super::answer::answer;
use super::job::{caller, find, number};
use super::list::USUAL_PAGE;
use super::versions::path_of;
use super::wire::{Details, Status, Tasks};
use crate::auth::Scope;
use crate::http::{Answer, Call, Verb};

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::VaultRead, |call| {
        Box::pin(list_tasks(call))
    })
}

/// List the tasks of a job
///
/// There are none: a job is one piece of work.
#[utoipa::path(
    get, path = "/api/{version}/services/jobs/{job_id}/tasks", tag = "vault",
    responses((status = 200, description = "No tasks", body = Tasks)),
)]
pub(super) async fn list_tasks(call: Call) -> Answer {
    let id = number(&call)?;
    let caller = caller(&call).await?;
    find(&call, &caller, id).await?;
    answer(
        &call.request,
        &Tasks {
            response_status: Status::Success,
            url: path_of(&call.request, &format!("/services/jobs/{id}/tasks")),
            response_details: Details {
                total: 0,
                limit: USUAL_PAGE,
                offset: 0,
                next_page: None,
                previous_page: None,
            },
            job_id: id,
            tasks: [],
        },
    )
}
