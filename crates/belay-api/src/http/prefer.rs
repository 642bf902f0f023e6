//! The `Prefer` header (RFC 7240).

use actix_web::http::header::HeaderMap;

/// Longest wait granted, in seconds.
const LONGEST: u64 = 60;

/// Seconds the client wants to wait for the end, from 1 to 60; more is cut to 60. Preferences that are not understood are
/// ignored, as the standard asks.
pub(crate) fn wait_seconds(headers: &HeaderMap) -> Option<u64> {
    headers
        .get_all("Prefer")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|preference| {
            let (name, value) = preference.split(';').next()?.split_once('=')?;
            if !name.trim().eq_ignore_ascii_case("wait") {
                return None;
            }
            let seconds: u64 = value.trim().trim_matches('"').parse().ok()?;
            (seconds > 0).then_some(seconds.min(LONGEST))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn wait(value: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(
            HeaderName::from_static("prefer"),
            HeaderValue::from_str(value).unwrap(),
        );
        wait_seconds(&headers)
    }

    #[test]
    fn waits_are_found_among_other_preferences() {
        assert_eq!(wait("wait=5"), Some(5));
        assert_eq!(wait("respond-async, Wait = \"7\"; x=1"), Some(7));
        assert_eq!(wait("wait=600"), Some(60));
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for value in [
            "",
            "wait",
            "wait=",
            "wait=0",
            "wait=-1",
            "wait=1.5",
            "waits=3",
            "respond-async",
        ] {
            assert_eq!(wait(value), None, "{value}");
        }
    }
}
