//! `POST /v1/accounts/{accountGroupId}/prospecting`

use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, StatusCode};
use belay_core::ops::NewJob;
use chrono::{DateTime, Utc};
use utoipa::ToSchema;

use super::{path, wire};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb};
use crate::service;

/// What a job is whose type is no registered kind.
const KIND: &str = "prospecting";
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::ProspectingWrite, |call| {
        Box::pin(create_prospecting_job(call))
    })
}

/// A job to be made. Any further members are kept with it and handed to what runs it.
#[derive(Debug, ToSchema)]
#[schema(as = ProspectingRequest, example = json!({"type": "sleep", "seconds": 30}))]
pub(super) struct CreateRequest {
    /// What to do: the name of a registered kind; a job of any other type waits in the line of the kind `prospecting`.
    #[schema(rename = "type")]
    kind: String,
    /// Not before this time.
    #[schema(rename = "runAt", value_type = Option<String>, format = DateTime)]
    run_at: Option<DateTime<Utc>>,
    /// Everything but `runAt`.
    #[schema(ignore)]
    payload: String,
}

impl CreateRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        members.storable()?;
        let run_at = members.time_to_keep("runAt")?;
        let payload = members.rest();
        let kind = members.needed_text("type")?;
        if kind.trim().is_empty() {
            return Err(Fault::invalid(
                "type",
                "type is empty; it must say what the job is",
            ));
        }
        Ok(Self {
            kind,
            run_at,
            payload,
        })
    }
}

/// Create a job
///
/// With `Idempotency-Key` the same request makes one job within 24 hours: 202 while that has not finished, 200 afterwards.
#[utoipa::path(
    post, path = "/v1/accounts/{accountGroupId}/prospecting", tag = "prospecting",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    request_body = CreateRequest,
    responses(
        (status = 202, description = "It was made, now or by the same request before, and has not finished", body = wire::Created),
        (status = 200, description = "The same request made it before, and it has finished", body = wire::Created),
        (status = 409, description = "The idempotency key was used for another request", body = wire::Trouble),
    ),
)]
pub(super) async fn create_prospecting_job(mut call: Call) -> Answer {
    let group = path::group(&call)?;
    let key = idempotency_key(call.request.headers())?;
    let caller = path::access(&call, group).await?;
    let asked = call
        .body(MEBIBYTE, Need::Required, CreateRequest::take)
        .await?;
    let via = caller.via;
    let made = call
        .request
        .database(move |db| {
            let kind = if service::enqueue::is_kind(db, &asked.kind)? {
                asked.kind
            } else {
                KIND.to_owned()
            };
            let job = NewJob {
                payload: asked.payload,
                run_at: asked.run_at,
                ..NewJob::new(kind)
            };
            service::enqueue::enqueue(db, &caller, &job, key.as_deref())
        })
        .await?;
    if !made.existed {
        call.request.api.metrics.enqueued(via, 1);
    }
    let status = if made.seen.job.state.is_terminal() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    wire::success(&call.request, status, wire::Created::from(&made.seen))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
    match (value.to_str(), values.next()) {
        (Ok(key), None) if visible && (1..=255).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(Fault::malformed(
            "the header Idempotency-Key must be given once, with 1 to 255 visible ASCII characters",
        )
        .field(IDEMPOTENCY_KEY)),
    }
}
