//! Answers that went well.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use serde::Serialize;

use super::Fault;

/// What a handler answers.
pub(crate) type Answer = Result<HttpResponse, Fault>;

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let text = serde_json::to_string(value)
        .map_err(|e| Fault::internal(format!("an answer could not be written as JSON: {e}")))?;
    Ok(HttpResponse::build(status)
        .insert_header(ContentType::json())
        .body(text))
}

/// Done, and nothing to say.
pub(crate) fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}
