//! What is sent for one attempt.

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Request, Url};

use super::super::{Attempt, StopCause};

/// Says why the work is called off.
const CANCEL: HeaderName = HeaderName::from_static("belay-cancel");

/// Headers that name the attempt. The key of idempotency is the job: whoever has seen it has had this work before, be it in an
/// earlier attempt whose answer was lost.
pub(super) fn identity(attempt: &Attempt) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in [
        ("belay-job-id", attempt.job.to_string()),
        ("belay-job-uid", attempt.uid.clone()),
        ("belay-attempt", attempt.attempt.to_string()),
        ("belay-max-attempts", attempt.max_attempts.to_string()),
        ("belay-fence", attempt.fence.to_string()),
        ("belay-kind", attempt.kind.clone()),
        ("belay-tenant", attempt.tenant.to_string()),
        ("idempotency-key", attempt.uid.clone()),
    ] {
        let value = HeaderValue::from_str(&value)
            .map_err(|_| format!("{value:?} cannot be sent in the header {name}"))?;
        map.insert(HeaderName::from_static(name), value);
    }
    Ok(map)
}

/// The request that hands the work over.
pub(super) fn work(
    method: &Method,
    url: Url,
    headers: &HeaderMap,
    identity: &HeaderMap,
    payload: String,
) -> Request {
    let mut request = Request::new(method.clone(), url);
    *request.headers_mut() = together(headers, identity);
    if takes_body(method) {
        *request.body_mut() = Some(payload.into());
    } else {
        request.headers_mut().remove(CONTENT_TYPE);
    }
    request
}

/// The request that calls it off.
pub(super) fn cancel(
    method: &Method,
    url: Url,
    headers: &HeaderMap,
    identity: &HeaderMap,
    cause: StopCause,
) -> Request {
    let mut request = Request::new(method.clone(), url);
    let mut all = together(headers, identity);
    all.remove(CONTENT_TYPE);
    if takes_body(method) {
        // Some servers insist on knowing that there is none.
        all.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    all.insert(CANCEL, HeaderValue::from_static(word(cause)));
    *request.headers_mut() = all;
    request
}

const fn word(cause: StopCause) -> &'static str {
    match cause {
        StopCause::Cancel => "cancel",
        StopCause::Timeout | StopCause::JobTimeout => "timeout",
        StopCause::LeaseLost => "lease_lost",
        StopCause::Shutdown => "shutdown",
    }
}

fn takes_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

/// The identity goes last: nothing replaces it.
fn together(headers: &HeaderMap, identity: &HeaderMap) -> HeaderMap {
    let mut all = headers.clone();
    for (name, value) in identity {
        all.insert(name.clone(), value.clone());
    }
    all
}
