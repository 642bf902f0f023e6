//! Comparing JSON with an expectation that leaves open what differs from run to run.

use serde_json::Value;

/// Asserts that `actual` is as `expected` says. Objects must have exactly the members named. These strings stand for values
/// that differ: `[time]`, `[uuid]`, `[key]` (24 hexadecimal digits), `[token]` (an API key), `[number]`, `[text]`.
#[track_caller]
pub(crate) fn assert_matches(actual: &Value, expected: &Value) {
    if let Err(difference) = compare("", actual, expected) {
        panic!("{difference}\nin {actual:#}");
    }
}

fn compare(place: &str, actual: &Value, expected: &Value) -> Result<(), String> {
    let wrong = || Err(format!("{place}: expected {expected}, found {actual}"));
    match (actual, expected) {
        (Value::Object(a), Value::Object(e)) => {
            let names = |o: &serde_json::Map<String, Value>| {
                let mut names: Vec<String> = o.keys().cloned().collect();
                names.sort();
                names
            };
            if names(a) != names(e) {
                return Err(format!(
                    "{place}: expected the members {:?}, found {:?}",
                    names(e),
                    names(a)
                ));
            }
            a.iter()
                .try_for_each(|(name, value)| compare(&format!("{place}.{name}"), value, &e[name]))
        }
        (Value::Array(a), Value::Array(e)) if a.len() == e.len() => a
            .iter()
            .zip(e)
            .enumerate()
            .try_for_each(|(i, (a, e))| compare(&format!("{place}[{i}]"), a, e)),
        (_, Value::String(word)) if word.starts_with('[') && word.ends_with(']') => {
            if fits(actual, word) { Ok(()) } else { wrong() }
        }
        _ if actual == expected => Ok(()),
        _ => wrong(),
    }
}

fn fits(actual: &Value, word: &str) -> bool {
    let text = actual.as_str().unwrap_or_default();
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match word {
        "[number]" => actual.is_number(),
        "[text]" => !text.is_empty(),
        "[time]" => {
            text.len() == 24
                && text.ends_with('Z')
                && chrono::DateTime::parse_from_rfc3339(text).is_ok()
        }
        "[uuid]" => text.len() == 36 && is_hex(&text.replace('-', "")),
        "[key]" => text.len() == 24 && is_hex(text),
        "[token]" => text
            .strip_prefix("belay_")
            .is_some_and(|t| t.len() == 48 && is_hex(t)),
        _ => panic!("unknown placeholder {word}"),
    }
}
