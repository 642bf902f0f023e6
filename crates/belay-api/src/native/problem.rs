//! Faults as problem details (RFC 9457).

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse};
use belay_core::JobState;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::v1::wire::StateName;
use crate::http::{Fault, Kind, RequestId};

/// Why a request was not answered as wished (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:belay:problem:invalid", "title": "A value is not allowed", "status": 422,
    "detail": "priority is 12, it must be from 0 (first) to 9 (last)", "request_id": "0e8e1a3c-5b0c-4b55-9c39-6d1f1f4b7a52", "field": "priority"
}))]
pub(crate) struct Problem {
    /// What kind of problem it is; does not change.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The same for people.
    title: &'static str,
    /// The status code of the answer.
    status: u16,
    /// What is wrong with this request, with the value.
    detail: String,
    /// The value of the header `X-Request-Id`, to find the request in the log.
    request_id: String,
    /// The member, parameter or header that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The state of the job that did not allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StateName>)]
    state: Option<JobState>,
    #[serde(flatten)]
    #[schema(ignore)]
    more: Map<String, Value>,
}

/// What a kind of problem is called, and its title.
pub(crate) const fn names(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Malformed => ("urn:belay:problem:malformed", "The request cannot be read"),
        Kind::Unauthenticated => (
            "urn:belay:problem:unauthenticated",
            "An API key that works is needed",
        ),
        Kind::Forbidden => (
            "urn:belay:problem:forbidden",
            "This API key does not allow that",
        ),
        Kind::NotFound => ("urn:belay:problem:not-found", "There is no such thing"),
        Kind::MethodNotAllowed => (
            "urn:belay:problem:method-not-allowed",
            "This method is not possible here",
        ),
        Kind::NotAcceptable => (
            "urn:belay:problem:not-acceptable",
            "No acceptable form of the answer",
        ),
        Kind::Refused => ("urn:belay:problem:refused", "The state does not allow that"),
        Kind::Conflict => ("urn:belay:problem:conflict", "It is taken"),
        Kind::TooLarge => ("urn:belay:problem:too-large", "The body is too large"),
        Kind::UnsupportedMediaType => (
            "urn:belay:problem:unsupported-media-type",
            "A body of this type is not read",
        ),
        Kind::Invalid => ("urn:belay:problem:invalid", "A value is not allowed"),
        Kind::Internal => ("urn:belay:problem:internal", "Something went wrong"),
        Kind::RateLimited => ("urn:belay:problem:rate-limited", "Too many requests"),
        Kind::Busy => ("urn:belay:problem:busy", "Too much at once"),
        Kind::Unreachable => (
            "urn:belay:problem:unreachable",
            "The database cannot be reached",
        ),
    }
}

/// Writes a fault as a problem.
pub(crate) fn render(fault: &Fault, id: &RequestId, _: &HttpRequest) -> HttpResponse {
    let (status, about) = (fault.kind.status(), &fault.about);
    let (kind, title) = names(fault.kind);
    let problem = Problem {
        kind,
        title,
        status: status.as_u16(),
        detail: fault.detail.clone(),
        request_id: id.to_string(),
        field: about.field.clone().filter(|field| !field.is_empty()),
        state: about.state,
        more: about.more.clone(),
    };
    let mut answer = HttpResponse::build(status);
    answer.insert_header((CONTENT_TYPE, "application/problem+json"));
    fault.put_headers(&mut answer);
    // A problem consists of texts and numbers, which always can be written.
    answer.body(serde_json::to_string(&problem).unwrap_or_default())
}
