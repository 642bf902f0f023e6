//! Faults in the words of the dialect.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use super::answer::Format;
use super::wire::{ErrorType, Failure, Status, WireError};
use crate::http::{Fault, Kind, RequestId};

/// Marks a fault as something that is missing.
const MISSING: &str = "missing";

/// Something that the request must have is not there.
pub(super) fn required(detail: impl Into<String>) -> Fault {
    Fault::malformed(detail).with(MISSING, true)
}

/// How a fault is called, and with which status code it goes. What the dialect decides itself goes with 200.
const fn words(kind: Kind) -> (Status, ErrorType, StatusCode) {
    use {ErrorType as E, Status::Exception, Status::Failure};
    match kind {
        Kind::Malformed | Kind::Invalid | Kind::Refused | Kind::Conflict => {
            (Failure, E::InvalidData, StatusCode::OK)
        }
        Kind::Unauthenticated => (Failure, E::InvalidSessionId, StatusCode::OK),
        Kind::Forbidden => (Failure, E::InsufficientAccess, StatusCode::OK),
        Kind::RateLimited => (Failure, E::ApiLimitExceeded, StatusCode::OK),
        Kind::NotFound => (Failure, E::MalformedUrl, kind.status()),
        Kind::MethodNotAllowed => (Failure, E::MethodNotSupported, kind.status()),
        Kind::UnsupportedMediaType | Kind::TooLarge => (Failure, E::InvalidData, kind.status()),
        Kind::NotAcceptable => (Failure, E::OperationNotAllowed, kind.status()),
        Kind::Internal | Kind::Unreachable => (
            Exception,
            E::UnexpectedError,
            StatusCode::INTERNAL_SERVER_ERROR,
        ),
        Kind::Busy => (Exception, E::UnexpectedError, kind.status()),
    }
}

/// Writes a fault.
pub(super) fn render(fault: &Fault, _: &RequestId, http: &HttpRequest) -> HttpResponse {
    let (response_status, mut kind, status) = words(fault.kind);
    if fault.about.more.contains_key(MISSING) {
        kind = ErrorType::ParameterRequired;
    }
    let failure = Failure {
        response_status,
        errors: vec![WireError {
            kind,
            message: fault.detail.clone(),
        }],
        error_type: None,
    };
    let mut answer = HttpResponse::build(status);
    // A challenge belongs to the status code 401.
    if fault.kind != Kind::Unauthenticated {
        fault.put_headers(&mut answer);
    }
    let format = Format::wanted(http.headers()).unwrap_or(Format::Json);
    format
        .put(&mut answer, &failure)
        // It consists of texts alone, which always can be written.
        .unwrap_or_else(|_| HttpResponse::InternalServerError().finish())
}
