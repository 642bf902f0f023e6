//! Headers that the operator adds to every request, often secrets.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

/// Where the value of a header comes from. Never shows a value that is written down in the settings themselves.
#[derive(Clone, PartialEq, Eq)]
pub enum HeaderSource {
    /// The value itself.
    Text(String),
    /// A file, read when the worker starts; without the line end.
    File(PathBuf),
    /// A variable of the daemon's environment, read when the worker starts.
    Env(String),
}

impl fmt::Debug for HeaderSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(..)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Env(name) => f.debug_tuple("Env").field(name).finish(),
        }
    }
}

/// Longest value of a header, in bytes.
const MAX_VALUE: usize = 16 * 1024;

/// Headers that say how the request itself is framed and where it goes, or that are Belay's own.
const RESERVED: [&str; 12] = [
    "connection",
    "content-length",
    "content-encoding",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];
const RESERVED_PREFIXES: [&str; 2] = ["belay-", "proxy-"];

/// Checks names, and the values that are there.
///
/// # Errors
/// The first that is wrong, in words that never show the value.
pub(super) fn check(headers: &BTreeMap<String, HeaderSource>) -> Result<(), String> {
    let mut seen = Vec::new();
    for (name, source) in headers {
        let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(format!("{name:?} is not a name of a header"));
        };
        let plain = parsed.as_str();
        if RESERVED.contains(&plain) || RESERVED_PREFIXES.iter().any(|p| plain.starts_with(p)) {
            return Err(format!("{name:?} is set by Belay itself; leave it out"));
        }
        if seen.contains(&parsed) {
            return Err(format!("{name:?} is there twice, spelled differently"));
        }
        seen.push(parsed);
        match source {
            HeaderSource::Text(text) => drop(value(name, "its value", text)?),
            HeaderSource::File(path) if !path.is_absolute() => {
                return Err(format!(
                    "{name:?} comes from the file {}; it must be an absolute path",
                    path.display()
                ));
            }
            HeaderSource::Env(variable)
                if variable.is_empty() || variable.contains(['=', '\0']) =>
            {
                return Err(format!(
                    "{name:?} comes from {variable:?}, which is not a name of a variable"
                ));
            }
            HeaderSource::File(_) | HeaderSource::Env(_) => {}
        }
    }
    Ok(())
}

/// Reads all values.
///
/// # Errors
/// The first that is not there or cannot be sent, in words that never show the value.
pub(super) fn read(headers: &BTreeMap<String, HeaderSource>) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, source) in headers {
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("{name:?} is not a name of a header"))?;
        let read = match source {
            HeaderSource::Text(text) => value(name, "its value", text)?,
            HeaderSource::File(path) => {
                let file = format!("the file {}", path.display());
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("{name:?} needs {file}: {error}"))?;
                value(name, &file, text.trim_end_matches(['\r', '\n']))?
            }
            HeaderSource::Env(variable) => {
                let place = format!("the variable {variable}");
                let text = std::env::var(variable).map_err(|_| {
                    format!("{name:?} needs {place}, which is not set, or not text")
                })?;
                value(name, &place, &text)?
            }
        };
        map.insert(key, read);
    }
    Ok(map)
}

fn value(name: &str, place: &str, text: &str) -> Result<HeaderValue, String> {
    if text.is_empty() {
        return Err(format!("{name:?} would be empty: {place} is"));
    }
    if text.len() > MAX_VALUE {
        return Err(format!(
            "{name:?} would be too long: {place} has {} bytes, at most {MAX_VALUE} can be sent",
            text.len()
        ));
    }
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        format!("{name:?} cannot be sent: {place} contains a line end or another character that no header may have")
    })?;
    // Whoever prints the request prints no secret.
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, source: HeaderSource) -> BTreeMap<String, HeaderSource> {
        BTreeMap::from([(name.to_owned(), source)])
    }

    fn text(value: &str) -> HeaderSource {
        HeaderSource::Text(value.into())
    }

    #[test]
    fn headers_that_belay_sets_are_refused() {
        for name in [
            "Host",
            "host",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "TE",
            "Trailer",
            "Upgrade",
            "Expect",
            "Keep-Alive",
            "Proxy-Authorization",
            "Belay-Fence",
            "BELAY-X",
            "Idempotency-Key",
            "Content-Encoding",
        ] {
            let error = check(&one(name, text("x"))).unwrap_err();
            assert!(error.contains("Belay itself"), "{error}");
        }
        for name in [
            "Authorization",
            "X-Api-Key",
            "Content-Type",
            "Accept",
            "User-Agent",
        ] {
            assert_eq!(check(&one(name, text("x"))), Ok(()));
        }
    }

    #[test]
    fn what_is_no_header_is_refused_without_showing_the_value() {
        for (name, value) in [
            ("", "secret"),
            ("a b", "secret"),
            ("a:b", "secret"),
            ("ä", "secret"),
            ("X\r\nY", "secret"),
            ("X", "secret\r\nY: 1"),
            ("X", "secret\n"),
            ("X", "secret\0"),
            ("X", ""),
        ] {
            let error = check(&one(name, text(value))).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
        let twice = BTreeMap::from([("X-A".to_owned(), text("1")), ("x-a".to_owned(), text("2"))]);
        assert!(check(&twice).is_err());
        assert!(check(&one("X", HeaderSource::File("relative".into()))).is_err());
        assert!(check(&one("X", HeaderSource::Env("A=B".into()))).is_err());
    }

    #[test]
    fn values_come_from_where_they_are_kept_and_are_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "Bearer secret\r\n").unwrap();
        let source = HeaderSource::File(file.clone());
        let map = read(&one("Authorization", source)).unwrap();
        assert_eq!(map.get("authorization").unwrap(), "Bearer secret");
        assert!(!format!("{map:?}").contains("secret"), "{map:?}");
        assert!(!format!("{:?}", text("secret")).contains("secret"));
        std::fs::write(&file, "secret\nsecond").unwrap();
        let error = read(&one("A", HeaderSource::File(file.clone()))).unwrap_err();
        assert!(
            error.contains("token") && !error.contains("secret"),
            "{error}"
        );
        std::fs::remove_file(&file).unwrap();
        assert!(
            read(&one("A", HeaderSource::File(file)))
                .unwrap_err()
                .contains("token")
        );
        let unset = HeaderSource::Env("BELAY_TEST_NO_SUCH_VARIABLE".into());
        assert!(
            read(&one("A", unset))
                .unwrap_err()
                .contains("BELAY_TEST_NO_SUCH_VARIABLE")
        );
        // Cargo sets this one.
        let set = HeaderSource::Env("CARGO_PKG_NAME".into());
        assert_eq!(
            read(&one("A", set)).unwrap().get("a").unwrap(),
            env!("CARGO_PKG_NAME")
        );
    }
}
