//! The entries of a request to cancel: at most so many, each for itself. One that cannot be used never affects another.

use std::collections::BTreeMap;

use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use belay_core::json::MAX_DEPTH;
use belay_core::ops::MAX_CANCEL;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::csv;
use super::render::required;
use crate::blocking;
use crate::http::{Fault, MEBIBYTE, Request, check_coding, media_type};

/// Above this many bytes a body is parsed away from the async threads.
const LARGE: usize = 64 * 1024;

/// What an entry names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A job, by its number from 1.
    Job(i64),
    /// Something that can be no job, as it was written.
    Invalid(String),
    /// Nothing.
    Missing,
}

impl Entry {
    /// Reads a number that was written as digits.
    pub(super) fn of_text(text: &str) -> Self {
        if text.is_empty() {
            return Self::Missing;
        }
        let number = text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<i64>() {
            Ok(id) if number && id > 0 => Self::Job(id),
            _ => Self::Invalid(text.to_owned()),
        }
    }

    fn of_json(element: &RawValue) -> Self {
        let members: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(element.get()).ok();
        let twice = members.is_some() && serde_json::from_str::<OneId<'_>>(element.get()).is_err();
        match members.and_then(|members| members.get("job_id").map(|value| value.get())) {
            // Which of the two was meant is not to be guessed.
            Some(text) if twice => {
                Self::Invalid(serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()))
            }
            None | Some("null") => Self::Missing,
            Some(text) if text.starts_with('"') => match serde_json::from_str::<String>(text) {
                Ok(text) => Self::of_text(&text),
                Err(_) => Self::Invalid(text.to_owned()),
            },
            Some(text) => Self::of_text(text),
        }
    }
}

/// Fails to be read when the member stands twice.
#[derive(Deserialize)]
struct OneId<'a> {
    #[serde(borrow, default, rename = "job_id")]
    _job_id: Option<&'a RawValue>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
}

/// Reads the body. Its type is judged before its size, both before its content, and the number of its entries before them.
pub(super) async fn read(request: &mut Request) -> Result<Vec<Entry>, Fault> {
    let bytes = request.bytes(MEBIBYTE).await;
    let form = form(request.headers())?;
    let bytes = bytes?;
    if bytes.len() > LARGE {
        blocking::compute(move || parse(form, &bytes)).await?
    } else {
        parse(form, &bytes)
    }
}

fn form(headers: &HeaderMap) -> Result<Form, Fault> {
    check_coding(headers)?;
    match media_type(headers).as_deref() {
        None | Some("application/json") => Ok(Form::Json),
        Some("text/csv") => Ok(Form::Csv),
        Some(_) => Err(Fault::unsupported_media_type(
            "the body must be application/json or text/csv; set the header Content-Type accordingly",
        )),
    }
}

fn parse(form: Form, bytes: &Bytes) -> Result<Vec<Entry>, Fault> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|e| Fault::malformed(format!("the body is not UTF-8: {e}")))?;
    if text.trim_ascii().is_empty() {
        return Err(required(
            "the body is empty; it must list the jobs to cancel, each with a job_id",
        ));
    }
    let entries = match form {
        Form::Json => json(text)?,
        Form::Csv => csv::entries(text)?,
    };
    if entries.is_empty() {
        return Err(required(
            "the body lists no jobs; it must have at least one, with a job_id",
        ));
    }
    Ok(entries)
}

/// Refuses more entries than one request may have.
pub(super) fn check_count(count: usize) -> Result<(), Fault> {
    if count <= MAX_CANCEL {
        return Ok(());
    }
    Err(Fault::malformed(format!(
        "the body lists {count} jobs, at most {MAX_CANCEL} are allowed in one request; nothing was cancelled"
    )))
}

fn json(text: &str) -> Result<Vec<Entry>, Fault> {
    let malformed = |why: &dyn std::fmt::Display| {
        Fault::malformed(format!(
            "the body must be a JSON array of objects with a job_id: {why}"
        ))
    };
    let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|e| malformed(&e))?;
    if depth(text) > MAX_DEPTH {
        return Err(malformed(&format_args!(
            "it is nested more than {MAX_DEPTH} deep"
        )));
    }
    check_count(elements.len())?;
    Ok(elements.into_iter().map(Entry::of_json).collect())
}

/// How deep arrays and objects are nested in a text that is JSON.
fn depth(text: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' if !quoted => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(element: &str) -> Entry {
        let mut entries = json(&format!("[{element}]")).unwrap();
        assert_eq!(entries.len(), 1);
        entries.remove(0)
    }

    #[test]
    fn numbers_and_digits_name_a_job() {
        for (text, id) in [
            ("1", 1),
            ("\"1\"", 1),
            ("\"007\"", 7),
            ("\"\\u0037\"", 7),
            ("9223372036854775807", i64::MAX),
            ("\"00000000000000000000000000000012\"", 12),
        ] {
            assert_eq!(one(&format!("{{\"job_id\":{text}}}")), Entry::Job(id));
        }
        assert_eq!(
            one("{\"x\":[{}],\"job\\u005fid\" : 5 ,\"y\":null}"),
            Entry::Job(5)
        );
    }

    #[test]
    fn what_is_no_positive_integer_comes_back_as_it_was_written() {
        for (value, shown) in [
            ("\"abc\"", "abc"),
            ("\"<a&b>\"", "<a&b>"),
            ("\" 1\"", " 1"),
            ("\"+1\"", "+1"),
            ("\"\\u0000\"", "\0"),
            ("\"\\ud800\"", "\"\\ud800\""),
            ("1.5", "1.5"),
            ("1.0", "1.0"),
            ("1e2", "1e2"),
            ("1e999999", "1e999999"),
            ("0", "0"),
            ("-0", "-0"),
            ("-5", "-5"),
            ("true", "true"),
            ("[1, 2]", "[1, 2]"),
            ("{\"a\":1}", "{\"a\":1}"),
            ("9223372036854775808", "9223372036854775808"),
            ("\"9223372036854775808\"", "9223372036854775808"),
        ] {
            assert_eq!(
                one(&format!("{{\"job_id\":{value}}}")),
                Entry::Invalid(shown.to_owned()),
                "{value}"
            );
        }
    }

    #[test]
    fn what_names_nothing_is_missing() {
        for element in [
            "{}",
            "{\"job_id\":null}",
            "{\"job_id\":\"\"}",
            "{\"JOB_ID\":1}",
            "7",
            "null",
            "\"7\"",
            "[7]",
        ] {
            assert_eq!(one(element), Entry::Missing, "{element}");
        }
    }

    #[test]
    fn nesting_is_counted_outside_of_texts() {
        for (text, expected) in [
            ("1", 0),
            ("[]", 1),
            ("[{\"a\":[1]},{}]", 3),
            ("[\"[[[\\\"[[\",\"\\\\\",[]]", 2),
        ] {
            assert_eq!(depth(text), expected, "{text}");
        }
        let nested = |n: usize| format!("[{}1{}]", "[".repeat(n - 1), "]".repeat(n - 1));
        assert!(json(&nested(MAX_DEPTH)).is_ok());
        assert!(json(&nested(MAX_DEPTH + 1)).is_err());
        assert!(json(&nested(100_000)).is_err());
    }
}
