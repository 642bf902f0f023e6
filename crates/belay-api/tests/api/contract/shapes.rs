//! What a fault looks like in each interface: every member, and the headers that go with it.

use serde_json::{Value, json};

use crate::support::{Reply, assert_matches};

/// What is wrong with a request, or with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    Malformed,
    /// No credential, or none that works.
    Unauthenticated,
    Forbidden,
    NotFound,
    Method,
    NotAcceptable,
    /// The state of the job.
    State,
    /// A value that is not allowed.
    Value,
    TooLarge,
    MediaType,
    Limited,
    /// A defect.
    Defect,
    /// The database is away.
    Away,
    Busy,
}

/// The headers that go with a fault, whatever the interface.
#[track_caller]
pub(super) fn heads(reply: &Reply, wrong: Wrong) {
    let id = reply.header("x-request-id").unwrap_or_default();
    assert!(!id.is_empty() && id.len() <= 64, "{wrong:?}: {reply:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    if wrong == Wrong::Method {
        assert!(reply.header("allow").is_some(), "{reply:?}");
    }
    if matches!(wrong, Wrong::Limited | Wrong::Busy) {
        let seconds = reply.header("retry-after").unwrap_or_default();
        assert!(seconds.parse::<u32>().is_ok_and(|s| s >= 1), "{reply:?}");
    }
    let text = reply.text();
    for internal in ["belay.", "select ", "postgres", "diesel", "panicked", ".rs"] {
        assert!(!text.contains(internal), "{internal} in {text}");
    }
}

#[track_caller]
fn status_is(reply: &Reply, status: u16, media_type: &str) -> Value {
    let text = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, status, "{text}");
    assert_eq!(reply.header("content-type"), Some(media_type), "{text}");
    reply.json()
}

#[track_caller]
fn challenged(reply: &Reply) {
    let challenge = reply.header("www-authenticate").unwrap_or_default();
    assert_eq!(
        reply.status == 401,
        challenge.starts_with("Bearer"),
        "{challenge}"
    );
}

/// The envelope, with an error in it.
#[track_caller]
pub(super) fn prospecting(reply: &Reply, wrong: Wrong, _: &str) {
    let (status, code) = match wrong {
        Wrong::Malformed | Wrong::Value => (400, "VALIDATION_ERROR"),
        Wrong::Unauthenticated => (401, "UNAUTHORIZED"),
        Wrong::Forbidden => (403, "FORBIDDEN"),
        Wrong::NotFound => (404, "NOT_FOUND"),
        Wrong::Method => (405, "METHOD_NOT_ALLOWED"),
        Wrong::NotAcceptable => (406, "NOT_ACCEPTABLE"),
        Wrong::TooLarge => (413, "PAYLOAD_TOO_LARGE"),
        Wrong::MediaType => (415, "UNSUPPORTED_MEDIA_TYPE"),
        Wrong::State => (422, "VALIDATION_ERROR"),
        Wrong::Limited => (429, "RATE_LIMITED"),
        Wrong::Defect => (500, "INTERNAL_ERROR"),
        Wrong::Away => (502, "UPSTREAM_ERROR"),
        Wrong::Busy => (503, "SERVICE_UNAVAILABLE"),
    };
    let body = status_is(reply, status, "application/json");
    challenged(reply);
    let details = &body["error"]["details"];
    assert!(details.is_string(), "{body}");
    assert_matches(
        &body,
        &json!({
            "success": false, "data": null, "traceId": reply.header("x-request-id").unwrap(),
            "error": {"code": code, "message": "[text]", "details": details}
        }),
    );
}

fn problem_status(wrong: Wrong) -> u16 {
    match wrong {
        Wrong::Malformed => 400,
        Wrong::Unauthenticated => 401,
        Wrong::Forbidden => 403,
        Wrong::NotFound => 404,
        Wrong::Method => 405,
        Wrong::NotAcceptable => 406,
        Wrong::TooLarge => 413,
        Wrong::MediaType => 415,
        Wrong::State | Wrong::Value => 422,
        Wrong::Limited => 429,
        Wrong::Defect | Wrong::Away => 500,
        Wrong::Busy => 503,
    }
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        other => panic!("{other} has no title"),
    }
}

/// A problem document; with 422 it says what is wrong with which member.
#[track_caller]
pub(super) fn jobs(reply: &Reply, wrong: Wrong, path: &str) {
    let status = problem_status(wrong);
    let body = status_is(reply, status, "application/problem+json");
    challenged(reply);
    let mut shape = json!({
        "type": "about:blank", "title": title(status), "status": status, "detail": "[text]", "instance": path
    });
    if status == 422 {
        let errors = body["errors"].as_object().unwrap();
        for words in errors.values() {
            let words = words.as_array().unwrap();
            assert!(words.iter().all(Value::is_string), "{body}");
        }
        assert!(
            wrong != Wrong::State || errors.contains_key("status"),
            "{body}"
        );
        shape["errors"] = body["errors"].clone();
    }
    assert_matches(&body, &shape);
}

/// The type of a fault in `vault`, and the status code it goes with.
pub(super) fn vault_words(wrong: Wrong) -> (u16, &'static str) {
    match wrong {
        Wrong::Malformed | Wrong::Value | Wrong::State => (200, "INVALID_DATA"),
        Wrong::Unauthenticated => (200, "INVALID_SESSION_ID"),
        Wrong::Forbidden => (200, "INSUFFICIENT_ACCESS"),
        Wrong::Limited => (200, "API_LIMIT_EXCEEDED"),
        Wrong::NotFound => (404, "MALFORMED_URL"),
        Wrong::Method => (405, "METHOD_NOT_SUPPORTED"),
        Wrong::NotAcceptable => (406, "OPERATION_NOT_ALLOWED"),
        Wrong::TooLarge => (413, "INVALID_DATA"),
        Wrong::MediaType => (415, "INVALID_DATA"),
        Wrong::Defect | Wrong::Away => (500, "UNEXPECTED_ERROR"),
        Wrong::Busy => (503, "UNEXPECTED_ERROR"),
    }
}

/// A list of errors under a status of its own; the status code is 200 for what the interface decides.
#[track_caller]
pub(super) fn vault(reply: &Reply, wrong: Wrong, _: &str) {
    let (status, kind) = vault_words(wrong);
    vault_failure(reply, status, kind);
}

/// The same for a type that no other interface knows.
#[track_caller]
pub(super) fn vault_failure(reply: &Reply, status: u16, kind: &str) {
    let body = status_is(reply, status, "application/json;charset=UTF-8");
    assert_eq!(reply.header("www-authenticate"), None);
    let outcome = if status >= 500 {
        "EXCEPTION"
    } else {
        "FAILURE"
    };
    assert_matches(
        &body,
        &json!({"responseStatus": outcome, "errors": [{"type": kind, "message": "[text]"}]}),
    );
}

/// A problem document with the members of older callers beside. There is neither 409 nor 422.
#[track_caller]
pub(super) fn bulk_actions(reply: &Reply, wrong: Wrong, path: &str) {
    let status = match wrong {
        Wrong::State | Wrong::Value => 400,
        Wrong::Away => 500,
        other => problem_status(other),
    };
    let body = status_is(reply, status, "application/problem+json");
    challenged(reply);
    let details = body["details"].as_object().unwrap();
    assert!(details.values().all(Value::is_string), "{body}");
    assert!(
        wrong != Wrong::State || details.contains_key("status"),
        "{body}"
    );
    assert_matches(
        &body,
        &json!({
            "type": "about:blank", "title": title(status), "status": status, "detail": "[text]", "instance": path,
            "error": body["detail"], "details": body["details"], "requestId": reply.header("x-request-id").unwrap()
        }),
    );
}

/// A flat object with a code.
#[track_caller]
pub(super) fn ingest(reply: &Reply, wrong: Wrong, path: &str) {
    let (status, code) = match wrong {
        Wrong::Malformed | Wrong::Value => (400, "BAD_REQUEST"),
        Wrong::Unauthenticated => (401, "UNAUTHORIZED"),
        Wrong::Forbidden => (403, "FORBIDDEN"),
        Wrong::NotFound => (404, "NOT_FOUND"),
        Wrong::Method => (405, "METHOD_NOT_ALLOWED"),
        Wrong::NotAcceptable => (406, "NOT_ACCEPTABLE"),
        Wrong::State => (409, "CONFLICT"),
        Wrong::TooLarge => (413, "PAYLOAD_TOO_LARGE"),
        Wrong::MediaType => (415, "UNSUPPORTED_MEDIA_TYPE"),
        Wrong::Limited => (429, "TOO_MANY_REQUESTS"),
        Wrong::Defect | Wrong::Away => (500, "INTERNAL_ERROR"),
        Wrong::Busy => (503, "SERVICE_UNAVAILABLE"),
    };
    let body = status_is(reply, status, "application/json;charset=UTF-8");
    challenged(reply);
    assert_matches(
        &body,
        &json!({
            "timestamp": "[time]", "status": status, "error": code, "message": "[text]", "path": path,
            "requestId": reply.header("x-request-id").unwrap()
        }),
    );
}
