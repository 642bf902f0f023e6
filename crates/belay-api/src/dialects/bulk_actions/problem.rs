//! Errors: one body that has the members of today's callers and those of older ones.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::map::Status;
use crate::http::{Fault, Kind, RequestId};

/// Why a request was not answered as wished.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "type": "about:blank", "title": "Bad Request", "status": 400,
    "detail": "job 01a210da-1086-8000-8000-00000000004d cannot be cancelled: it is completed",
    "instance": "/api/actions/bulk/jobs/01a210da-1086-8000-8000-00000000004d/cancel",
    "error": "job 01a210da-1086-8000-8000-00000000004d cannot be cancelled: it is completed",
    "details": {"status": "completed"}, "requestId": "0e8e1a3c-5b0c-4b55-9c39-6d1f1f4b7a52"
}))]
pub(super) struct BulkError {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The words of the status code.
    title: &'static str,
    /// The status code of the answer.
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// The path of the request.
    instance: String,
    /// The same as `detail`, for older callers.
    error: String,
    /// What is wrong with which part of the request; `status` when the job's status did not allow it.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    details: Map<String, Value>,
    /// The value of the header `X-Request-Id`.
    request_id: String,
}

/// The published list of statuses has no 409 and no 422.
fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Refused | Kind::Conflict | Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Unreachable => StatusCode::INTERNAL_SERVER_ERROR,
        other => other.status(),
    }
}

/// Writes a fault as such an error.
pub(super) fn render(fault: &Fault, id: &RequestId, http: &HttpRequest) -> HttpResponse {
    let status = status(fault.kind);
    let about = &fault.about;
    let mut details = Map::new();
    if let Some(field) = about.field.as_ref().filter(|field| !field.is_empty()) {
        details.insert(field.clone(), fault.detail.clone().into());
    }
    if let Some(state) = about.state {
        details.insert("status".into(), Status::of(state).as_str().into());
    }
    let error = BulkError {
        kind: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail: fault.detail.clone(),
        instance: http.uri().path().to_owned(),
        error: fault.detail.clone(),
        details,
        request_id: id.to_string(),
    };
    let mut answer = HttpResponse::build(status);
    answer.insert_header((CONTENT_TYPE, "application/problem+json"));
    fault.put_headers(&mut answer);
    // It consists of texts and numbers, which always can be written.
    answer.body(serde_json::to_string(&error).unwrap_or_default())
}
