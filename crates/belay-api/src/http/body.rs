//! Reading the body of a request.

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::web::{self, Bytes};
use belay_core::json::{self, JsonError};

use super::{Fault, Kind, Members};
use crate::blocking;

/// 1 MiB: the limit of bodies that have no limit of their own.
pub(crate) const MEBIBYTE: usize = 1 << 20;

/// How deep a payload may lie in a body.
const WRAPPING: usize = 3;

/// Above this many bytes a body is parsed away from the async threads.
const LARGE: usize = 64 * 1024;

/// Whether there must be a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Without one there is nothing to do.
    Required,
    /// None is as good as one without members.
    Optional,
}

/// Reads a JSON body of at most `limit` bytes and takes what is wanted out of it.
///
/// The type is judged before the size, and both before the content.
pub(crate) async fn read<T: Send + 'static>(
    headers: &HeaderMap,
    payload: Option<web::Payload>,
    limit: usize,
    need: Need,
    strict: bool,
    take: fn(&mut Members<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let bytes = receive(headers, payload, limit).await;
    if !matches!(&bytes, Ok(bytes) if bytes.is_empty() && need == Need::Optional) {
        check_type(headers)?;
    }
    let bytes = bytes?;
    if bytes.len() > LARGE {
        blocking::compute(move || parse(&bytes, need, strict, take)).await?
    } else {
        parse(&bytes, need, strict, take)
    }
}

/// Reads a body as it is, at most `limit` bytes.
pub(super) async fn receive(
    headers: &HeaderMap,
    payload: Option<web::Payload>,
    limit: usize,
) -> Result<Bytes, Fault> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Fault::too_large(limit));
    }
    let Some(payload) = payload else {
        return Ok(Bytes::new());
    };
    // What is received counts: a chunked body announces nothing.
    match payload.to_bytes_limited(limit).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(Fault::malformed(format!(
            "the body did not arrive whole: {error}"
        ))),
        Err(_) => Err(Fault::too_large(limit)),
    }
}

/// Refuses a body that is compressed.
pub(crate) fn check_coding(headers: &HeaderMap) -> Result<(), Fault> {
    if let Some(coding) = headers.get(CONTENT_ENCODING)
        && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Fault::unsupported_media_type(
            "the body is compressed, which is not supported here; send it as it is",
        ));
    }
    Ok(())
}

/// The media type of the body in lower case, without its parameters; `None` when the header is not there.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    let name = value.split(';').next().unwrap_or_default().trim();
    Some(name.to_ascii_lowercase())
}

fn check_type(headers: &HeaderMap) -> Result<(), Fault> {
    check_coding(headers)?;
    if media_type(headers).is_none_or(|name| name == "application/json") {
        return Ok(());
    }
    Err(Fault::unsupported_media_type(
        "the body must be application/json; set the header Content-Type accordingly or leave it out",
    ))
}

/// The text of a JSON body that was found to be well-formed, without its byte order mark. Where unknown members are refused,
/// everything in it must be storable; elsewhere what nobody reads does no harm.
fn well_formed(bytes: &[u8], strict: bool) -> Result<&str, Fault> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|e| Fault::malformed(format!("the body is not UTF-8: {e}")))?;
    let checked = if strict {
        // It wraps payloads, which are checked by themselves once more.
        json::check_within(text, json::MAX_DEPTH + WRAPPING)
    } else {
        json::check_shape(text, json::MAX_DEPTH)
    };
    checked.map_err(|e| match e {
        JsonError::Malformed(why) => {
            Fault::malformed(format!("the body is not acceptable as JSON: {why}"))
        }
        JsonError::TooLarge(_) => Fault::malformed(e.to_string()),
    })?;
    Ok(text)
}

fn parse<T>(
    bytes: &[u8],
    need: Need,
    strict: bool,
    take: fn(&mut Members<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut members = if bytes.is_empty() {
        if need == Need::Required {
            return Err(Fault::malformed("a JSON body is needed and there is none"));
        }
        Members::none()
    } else {
        Members::of(well_formed(bytes, strict)?, "").map_err(|mut fault| {
            if !strict {
                fault.kind = Kind::Malformed;
            }
            fault
        })?
    };
    let taken = take(&mut members)?;
    if strict {
        members.end()?;
    }
    Ok(taken)
}
