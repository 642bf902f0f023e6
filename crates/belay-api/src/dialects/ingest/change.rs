//! `PATCH /api/v1/ingest/jobs/{id}`

use actix_web::http::{Method, StatusCode};
use utoipa::ToSchema;

use super::{SCOPE, about, answer, asked, map, wire};
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb};
use crate::service;
use crate::service::ingest::Wish;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::PATCH, SCOPE, |call| {
        Box::pin(change_ingest_job(call))
    })
}

/// What is asked.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"state": "UploadComplete"}))]
#[expect(dead_code, reason = "for the document")]
pub(super) struct IngestStateRequest {
    /// `UploadComplete` closes the job, `Aborted` aborts it.
    state: String,
}

fn wish(members: &mut Members<'_>) -> Result<Wish, Fault> {
    match members.needed_text("state")?.as_str() {
        "UploadComplete" => Ok(Wish::Close),
        "Aborted" => Ok(Wish::Abort),
        other => {
            let shown: String = other.chars().take(60).collect();
            Err(Fault::invalid(
                "state",
                format!("state is {shown:?}, it must be \"UploadComplete\" or \"Aborted\""),
            ))
        }
    }
}

/// Close or abort a job
///
/// Closed, its files are loaded. Aborted, they are deleted, and what was loaded so far is rolled back. No file can be added afterwards. A
/// repeat changes nothing.
#[utoipa::path(
    patch, path = "/api/v1/ingest/jobs/{id}", tag = "ingest",
    request_body = IngestStateRequest,
    responses(
        (status = 200, description = "It is so, now or since before", body = wire::IngestJob, content_type = "application/json;charset=UTF-8"),
        (status = 409, description = "It was aborted and cannot be closed, or it has ended and cannot be aborted", body = super::fault::IngestError, content_type = "application/json;charset=UTF-8"),
    ),
)]
pub(super) async fn change_ingest_job(mut call: Call) -> Answer {
    let (caller, job) = asked(&call).await?;
    let wish = match call.body(MEBIBYTE, Need::Required, wish).await {
        Ok(wish) => wish,
        Err(fault) => {
            // That there is no such job goes before what is wrong with the body.
            call.request
                .database(move |db| service::ingest::get(db, &caller, &job))
                .await
                .map_err(about(&call))?;
            return Err(fault);
        }
    };
    let via = caller.via;
    let changed = call
        .request
        .database(move |db| service::ingest::change(db, &caller, &job, wish))
        .await
        .map_err(about(&call))?;
    let api = &call.request.api;
    if let Some(outcome) = changed.cancel {
        api.metrics.cancel_answered(via, outcome);
    }
    if changed.granted {
        return answer(
            StatusCode::OK,
            &wire::IngestJob::new(&changed.job, &api.prefix),
        );
    }
    let state = changed.job.job.state;
    let cannot = match wish {
        Wish::Close => "closed",
        Wish::Abort => "aborted",
    };
    Err(Fault::refused(
        format!(
            "the job is {} and cannot be {cannot} any more",
            map::word(state)
        ),
        Some(state),
    ))
}
