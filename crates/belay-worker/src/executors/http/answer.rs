//! From an answer to what becomes of the attempt.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};

use super::super::Finish;
use super::body::{Body, one_line};

/// Longest piece of the receiver's own words in an error, in characters.
pub(super) const MAX_QUOTE: usize = 200;
/// The longest wait that a receiver can ask for.
const MAX_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a status says of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It is done.
    Completed,
    /// The receiver has taken it over, and reports by itself.
    Accepted,
    /// It failed.
    Failed {
        /// Whether another attempt may help.
        retry: bool,
    },
}

impl Meaning {
    pub(super) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            202 => Self::Accepted,
            200..=299 => Self::Completed,
            // Time-out of the request, too early, too many requests.
            408 | 425 | 429 | 500..=599 => Self::Failed { retry: true },
            _ => Self::Failed { retry: false },
        }
    }
}

/// How an attempt ends whose request was answered with a failure.
pub(super) fn failure(status: StatusCode, headers: &HeaderMap, retry: bool, body: &Body) -> Finish {
    let mut error = format!("the receiver answered {status}");
    if status.is_redirection() {
        error.push_str("; redirects are not followed");
        if let Some(place) = headers.get(LOCATION) {
            let place = String::from_utf8_lossy(place.as_bytes());
            error = format!("{error}, it names {}", one_line(&place, MAX_QUOTE));
        }
    }
    let quote = body.quote(MAX_QUOTE);
    if !quote.is_empty() {
        error = format!("{error}: {quote}");
    }
    match retry_after(headers, SystemTime::now()).filter(|_| retry) {
        Some(delay) => Finish::RetryAfter { error, delay },
        None => Finish::Failed { error, retry },
    }
}

/// How long the receiver asks to wait: `Retry-After` in seconds, or as a date, which is read against the receiver's own
/// clock when it tells the time. At least a millisecond, at most a year.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are more than a year.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        let theirs = headers
            .get(DATE)
            .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        // A date that is over asks for no wait.
        date.duration_since(theirs.unwrap_or(now))
            .unwrap_or_default()
    };
    Some(wait.clamp(Duration::from_millis(1), MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn wait(headers: &[(HeaderName, &'static str)]) -> Option<Duration> {
        let map = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        // Sun, 06 Nov 1994 08:49:37 GMT
        retry_after(
            &map,
            SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777),
        )
    }

    #[test]
    fn statuses_have_their_meaning() {
        for status in 100..=999 {
            let expected = match status {
                202 => Meaning::Accepted,
                200 | 201 | 203..=299 => Meaning::Completed,
                408 | 425 | 429 | 500..=599 => Meaning::Failed { retry: true },
                _ => Meaning::Failed { retry: false },
            };
            assert_eq!(
                Meaning::of(StatusCode::from_u16(status).unwrap()),
                expected,
                "{status}"
            );
        }
    }

    #[test]
    fn a_wait_comes_in_seconds_or_as_a_date() {
        let seconds = |s| Some(Duration::from_secs(s));
        for (value, expected) in [
            ("120", seconds(120)),
            ("0", Some(Duration::from_millis(1))),
            (" 7 ", seconds(7)),
            ("99999999999999999999999", seconds(31_536_000)),
            ("31536001", seconds(31_536_000)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", seconds(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", seconds(60)),
            ("Sun Nov  6 08:50:37 1994", seconds(60)),
            (
                "Sun, 06 Nov 1994 08:48:37 GMT",
                Some(Duration::from_millis(1)),
            ),
            ("Fri, 31 Dec 9999 23:59:59 GMT", seconds(31_536_000)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(wait(&[(RETRY_AFTER, value)]), expected, "{value:?}");
        }
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn a_date_is_read_against_the_clock_of_the_receiver() {
        let headers = [
            (RETRY_AFTER, "Sun, 06 Nov 2044 08:50:37 GMT"),
            (DATE, "Sun, 06 Nov 2044 08:50:07 GMT"),
        ];
        assert_eq!(wait(&headers), Some(Duration::from_secs(30)));
    }
}
