//! Faults as problem documents.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::map::word;
use crate::http::{Fault, Kind, RequestId};

/// Where a fault keeps the errors of several members.
const ERRORS: &str = "errors";

/// Why a request was not answered as wished.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobsProblem, example = json!({
    "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
    "detail": "the job cannot be cancelled: its status is completedOk", "instance": "/v1/jobs/77/cancel",
    "errors": {"status": ["the job cannot be cancelled: its status is completedOk"]}
}))]
pub(super) struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The same for every problem of that status.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// The path of the request.
    instance: String,
    /// With 422: what is wrong with each member.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::BTreeMap<String, Vec<String>>>)]
    errors: Option<Value>,
}

/// The status for a fault.
const fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Malformed => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Kind::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::Invalid | Kind::Refused | Kind::Conflict => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Kind::Busy => StatusCode::SERVICE_UNAVAILABLE,
        // A database that is away is nothing a client could do anything about, as a defect is not.
        Kind::Internal | Kind::Unreachable => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Writes a fault as a problem.
pub(super) fn render(fault: &Fault, _: &RequestId, http: &HttpRequest) -> HttpResponse {
    let status = status(fault.kind);
    let problem = Problem {
        kind: "about:blank",
        title: status.canonical_reason().unwrap_or("Problem"),
        status: status.as_u16(),
        detail: fault.detail.clone(),
        instance: http.uri().path().to_owned(),
        errors: (status == StatusCode::UNPROCESSABLE_ENTITY).then(|| errors(fault)),
    };
    let mut answer = HttpResponse::build(status);
    answer.insert_header((CONTENT_TYPE, "application/problem+json"));
    fault.put_headers(&mut answer);
    // A problem consists of texts and numbers, which always can be written.
    answer.body(serde_json::to_string(&problem).unwrap_or_default())
}

fn errors(fault: &Fault) -> Value {
    if let Some(errors) = fault.about.more.get(ERRORS) {
        return errors.clone();
    }
    let name = match (fault.kind, &fault.about.field) {
        (Kind::Refused, _) => "status",
        (_, Some(field)) if !field.is_empty() => field.as_str(),
        _ => return json!({}),
    };
    json!({ name: [fault.detail.as_str()] })
}

/// Says which status refused, in the words of this dialect.
pub(super) fn in_words(mut fault: Fault) -> Fault {
    if let (Kind::Refused, Some(state)) = (fault.kind, fault.about.state) {
        let status = word(state);
        fault.detail = format!("{}; its status here is {status}", fault.detail);
    }
    fault
}

/// What is wrong with the members of one body: all of it, not only the first.
#[derive(Debug, Default)]
pub(super) struct Errors(Map<String, Value>);

impl Errors {
    /// Keeps what is wrong, or hands on what is right.
    pub(super) fn keep<T>(&mut self, taken: Result<T, Fault>) -> Option<T> {
        let fault = match taken {
            Ok(value) => return Some(value),
            Err(fault) => fault,
        };
        let field = fault.about.field.unwrap_or_default();
        self.0.insert(field, json!([fault.detail]));
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it as one fault.
    pub(super) fn fault(self) -> Fault {
        let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        let detail = match self.0.values().next() {
            Some(Value::Array(words)) if self.0.len() == 1 => words
                .first()
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            _ => format!("these members are not usable: {}", names.join(", ")),
        };
        Fault::invalid("", detail).with(ERRORS, self.0)
    }
}
