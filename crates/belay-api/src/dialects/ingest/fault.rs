//! Faults in the words of this dialect.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Utc;
use serde::Serialize;
use utoipa::ToSchema;

use super::JSON;
use crate::http::{Fault, Kind, RequestId};
use crate::time::Time;

/// Why a request was not answered as wished.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "timestamp": "2026-12-24T18:00:00.000Z", "status": 409, "error": "CONFLICT", "message": "the job is Aborted and takes no files any more",
    "path": "/api/v1/ingest/jobs/019b5287-2e80-8000-8000-00000000004d/batches", "requestId": "0e8e1a3c-5b0c-4b55-9c39-6d1f1f4b7a52"
}))]
pub(super) struct IngestError {
    /// When.
    timestamp: Time,
    /// The status code of the answer.
    status: u16,
    /// The same as a word.
    error: &'static str,
    /// What is wrong with this request.
    message: String,
    /// The path of the request.
    path: String,
    /// The value of the header `X-Request-Id`.
    request_id: String,
}

/// Why a token was not given.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"error": "invalid_grant", "error_description": "subject_token is not an API key that works"}))]
pub(super) struct GrantError {
    /// Always `invalid_grant`.
    error: &'static str,
    /// What is wrong.
    error_description: String,
}

const fn code(kind: Kind) -> (StatusCode, &'static str) {
    let word = match kind {
        Kind::Malformed | Kind::Invalid => return (StatusCode::BAD_REQUEST, "BAD_REQUEST"),
        Kind::Internal | Kind::Unreachable => {
            return (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR");
        }
        Kind::Unauthenticated => "UNAUTHORIZED",
        Kind::Forbidden => "FORBIDDEN",
        Kind::NotFound => "NOT_FOUND",
        Kind::MethodNotAllowed => "METHOD_NOT_ALLOWED",
        Kind::NotAcceptable => "NOT_ACCEPTABLE",
        Kind::Refused | Kind::Conflict => "CONFLICT",
        Kind::TooLarge => "PAYLOAD_TOO_LARGE",
        Kind::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
        Kind::RateLimited => "TOO_MANY_REQUESTS",
        Kind::Busy => "SERVICE_UNAVAILABLE",
    };
    (kind.status(), word)
}

/// Writes a fault.
pub(super) fn render(fault: &Fault, id: &RequestId, request: &HttpRequest) -> HttpResponse {
    let (status, error) = code(fault.kind);
    let body = IngestError {
        timestamp: Time(Utc::now()),
        status: status.as_u16(),
        error,
        message: fault.detail.clone(),
        path: request.path().to_owned(),
        request_id: id.to_string(),
    };
    write(fault, status, &body)
}

/// Writes a fault of the login: whatever is wrong with what was sent is an invalid grant.
pub(super) fn render_grant(fault: &Fault, id: &RequestId, request: &HttpRequest) -> HttpResponse {
    match fault.kind {
        Kind::Malformed | Kind::Invalid => {
            let body = GrantError {
                error: "invalid_grant",
                error_description: fault.detail.clone(),
            };
            write(fault, StatusCode::BAD_REQUEST, &body)
        }
        _ => render(fault, id, request),
    }
}

fn write(fault: &Fault, status: StatusCode, body: &impl Serialize) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((CONTENT_TYPE, JSON));
    fault.put_headers(&mut answer);
    if fault.kind == Kind::Unauthenticated {
        answer.insert_header((WWW_AUTHENTICATE, "Bearer"));
    }
    // It consists of texts and numbers, which always can be written.
    answer.body(serde_json::to_string(body).unwrap_or_default())
}
