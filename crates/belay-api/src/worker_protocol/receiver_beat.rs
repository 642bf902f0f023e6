//! `POST /belay/v1/worker/jobs/{id}/beat`

use actix_web::http::{Method, StatusCode};
use belay_core::ops::ProgressRow;
use belay_core::ops::Settled;
use belay_core::ops::remote::Output;
use serde::Serialize;
use utoipa::ToSchema;

use super::receiver_finish::answer;
use super::shown::{self, OutputRequest, ProgressRequest};
use super::{finish, report};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb, json};
use crate::native::Problem;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Worker, |call| Box::pin(beat_job(call)))
}

/// What a receiver shows of a job.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"fence": 1, "progress": {"done": 12, "total": 31}}))]
pub(crate) struct ReceiverBeat {
    /// From the header of the request that handed the job over.
    fence: i32,
    #[schema(value_type = Option<ProgressRequest>)]
    progress: Option<ProgressRow>,
    #[schema(value_type = Option<OutputRequest>)]
    output: Option<Output>,
}

impl ReceiverBeat {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        let fence = report::fence(members)?;
        Ok(Self {
            fence,
            progress: shown::progress(members, "")?,
            output: shown::output(members, "")?,
        })
    }
}

/// What is wanted of a receiver.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"cancel": false, "suspend": false}))]
pub(crate) struct ReceiverTold {
    /// Stop it: somebody cancelled it.
    cancel: bool,
    /// Hold it still.
    suspend: bool,
}

/// Show how far a received job is
///
/// And learn whether it shall be stopped. Renews nothing: the daemon's worker holds the job.
#[utoipa::path(
    post, path = "/belay/v1/worker/jobs/{id}/beat", tag = "worker",
    request_body = ReceiverBeat,
    responses(
        (status = 200, description = "What is wanted", body = ReceiverTold),
        (status = 409, description = "It is not held under that fence any more (`reason` is `fenced_out`), or not run by the executor `http`", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn beat_job(mut call: Call) -> Answer {
    call.query(&[])?;
    let job = call.job()?;
    let beat = call
        .body(MEBIBYTE, Need::Required, ReceiverBeat::take)
        .await?;
    let grant = std::sync::Arc::clone(&call.grant);
    let fence = beat.fence;
    let progress = beat.progress.map(|row| ProgressRow {
        job: job.id,
        fence,
        ..row
    });
    let output = beat.output;
    let wanted = call
        .request
        .database(move |db| {
            service::remote::receiver_beat(
                db,
                &grant,
                job,
                fence,
                output.as_ref(),
                progress.as_ref(),
            )
        })
        .await?;
    match wanted {
        Some(wanted) => json(
            StatusCode::OK,
            &ReceiverTold {
                cancel: wanted.cancel,
                suspend: wanted.suspend,
            },
        ),
        None => answer(&finish::taken(
            job.id,
            fence,
            service::remote::Answer::Settled(Settled::Stale),
        )),
    }
}
