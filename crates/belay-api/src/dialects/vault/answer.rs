//! The two forms of an answer, and which of them a client gets.

use actix_web::HttpResponseBuilder;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{HttpResponse, body::BoxBody};
use serde::Serialize;

use super::xml;
use crate::http::{Answer, Fault, Request, preferred};

const JSON: &str = "application/json";
const XML: &str = "application/xml";

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Xml,
}

impl Format {
    /// What the client likes best; JSON when it does not say, `None` when it accepts neither.
    pub(super) fn wanted(headers: &HeaderMap) -> Option<Self> {
        preferred(headers, &[JSON, XML])
            .map(|best| if best == XML { Self::Xml } else { Self::Json })
    }

    /// Writes a value as the body of an answer.
    pub(super) fn put(
        self,
        answer: &mut HttpResponseBuilder,
        value: &impl Serialize,
    ) -> Result<HttpResponse<BoxBody>, Fault> {
        let json = serde_json::to_string(value)
            .map_err(|e| Fault::internal(format!("an answer could not be written as JSON: {e}")))?;
        let (media_type, text) = match self {
            Self::Json => (JSON, json),
            Self::Xml => (XML, xml::from_json(&json)?),
        };
        answer.insert_header((CONTENT_TYPE, format!("{media_type};charset=UTF-8")));
        Ok(answer.body(text))
    }
}

/// Refuses a client that accepts neither form.
pub(super) fn accepts(headers: &HeaderMap) -> Result<(), Fault> {
    Format::wanted(headers).map(drop).ok_or_else(|| {
        Fault::not_acceptable(
            "the answer would be application/json or application/xml, which the header Accept rules out",
        )
    })
}

/// An answer in the form that the client wants.
pub(super) fn answer(request: &Request, value: &impl Serialize) -> Answer {
    let format = Format::wanted(request.headers()).unwrap_or(Format::Json);
    format.put(&mut HttpResponse::build(StatusCode::OK), value)
}
