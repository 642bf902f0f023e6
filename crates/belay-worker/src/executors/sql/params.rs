//! Where the values of `$1`, `$2`, .. come from.

use std::collections::HashMap;
use std::ffi::CString;

use serde_json::value::RawValue;

use super::libpq::{Param, TEXT};

/// A place in the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// As it was written.
    name: String,
    /// The members and places on the way, from the outside.
    path: Vec<String>,
    /// Whether a payload without it is fine.
    optional: bool,
}

impl Source {
    /// Reads `member`, `/json/pointer`, or nothing for the whole payload; a `?` in front makes it optional.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (rest, optional) = match text.strip_prefix('?') {
            Some("") => return Err("\"?\" names no member".into()),
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let path = match rest.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(unescape).collect::<Result<_, _>>()?,
            None if rest.is_empty() => Vec::new(),
            None => vec![rest.to_owned()],
        };
        Ok(Self {
            name: rest.to_owned(),
            path,
            optional,
        })
    }
}

/// A step of a JSON pointer (RFC 6901).
fn unescape(step: &str) -> Result<String, String> {
    let bad = step
        .match_indices('~')
        .any(|(at, _)| !matches!(step.as_bytes().get(at + 1), Some(b'0' | b'1')));
    if bad {
        return Err(format!(
            "{step:?} has a ~ that is followed neither by 0 nor by 1; in a JSON pointer ~ is written ~0 and / is written ~1"
        ));
    }
    Ok(step.replace("~1", "/").replace("~0", "~"))
}

/// The values of a payload, in the order of `sources`.
///
/// # Errors
/// Which member is missing. Values are not repeated.
pub(super) fn bind(sources: &[Source], payload: &str) -> Result<Vec<Param>, String> {
    let whole: &RawValue =
        serde_json::from_str(payload).map_err(|_| "the payload is not JSON".to_owned())?;
    sources
        .iter()
        .enumerate()
        .map(|(index, source)| {
            let text = match find(whole, &source.path) {
                Some(value) => as_text(value)
                    .map_err(|why| format!("${} ({:?}) {why}", index + 1, source.name))?,
                None if source.optional => None,
                None => {
                    return Err(format!(
                        "the payload has no {:?}, which is ${} of the statement; send it (null is allowed), or write \"?{}\" in `params` to make it optional",
                        source.name,
                        index + 1,
                        source.name
                    ));
                }
            };
            Ok(Param { oid: TEXT, text })
        })
        .collect()
}

fn find<'a>(whole: &'a RawValue, path: &[String]) -> Option<&'a RawValue> {
    path.iter().try_fold(whole, |value, step| {
        match value.get().as_bytes().first() {
            Some(b'{') => serde_json::from_str::<HashMap<String, &'a RawValue>>(value.get())
                .ok()?
                .remove(step),
            Some(b'[') => {
                // As the pointer has it: no sign, no zero in front.
                let index: usize = step.parse().ok()?;
                if index.to_string() != *step {
                    return None;
                }
                serde_json::from_str::<Vec<&'a RawValue>>(value.get())
                    .ok()?
                    .get(index)
                    .copied()
            }
            _ => None,
        }
    })
}

/// A text as it is, a number digit by digit, `true` and `false`; arrays and objects as JSON.
fn as_text(value: &RawValue) -> Result<Option<CString>, &'static str> {
    let raw = value.get();
    let text = match raw.as_bytes().first() {
        Some(b'n') => return Ok(None),
        Some(b'"') => serde_json::from_str(raw).map_err(|_| "is not a text that can be read")?,
        _ => raw.to_owned(),
    };
    CString::new(text)
        .map(Some)
        .map_err(|_| "contains a NUL character, which PostgreSQL cannot hold")
}

#[cfg(test)]
mod tests {
    use super::{Source, bind};

    const PAYLOAD: &str = r#"{"id": 12345678901234567890.10, "name": "it's \"x\"; drop table t", "no": null, "yes": true,
        "a/b": {"c~d": [1, {"e": [ ]}]}, "": "empty", "?": "mark", "tags": ["x", "y"]}"#;

    fn one(source: &str) -> Result<Option<String>, String> {
        let bound = bind(&[Source::parse(source).unwrap()], PAYLOAD)?;
        Ok(bound[0]
            .text
            .as_ref()
            .map(|text| text.to_str().unwrap().to_owned()))
    }

    #[test]
    fn values_are_bound_as_they_are_written() {
        for (source, value) in [
            ("id", Some("12345678901234567890.10")),
            ("name", Some("it's \"x\"; drop table t")),
            ("no", None),
            ("?no", None),
            ("yes", Some("true")),
            ("/yes", Some("true")),
            ("/a~1b/c~0d/0", Some("1")),
            ("a/b", Some(r#"{"c~d": [1, {"e": [ ]}]}"#)),
            ("/a~1b/c~0d/1/e", Some("[ ]")),
            ("/", Some("empty")),
            ("/?", Some("mark")),
            ("tags", Some(r#"["x", "y"]"#)),
            ("", Some(PAYLOAD)),
            ("?gone", None),
            ("?/tags/2", None),
            ("?/tags/00", None),
            ("?/tags/-", None),
            ("?/name/0", None),
        ] {
            assert_eq!(one(source), Ok(value.map(str::to_owned)), "{source}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for source in ["gone", "/tags/2", "/name/x"] {
            let refused = one(source).unwrap_err();
            assert!(refused.contains(&format!("{source:?}")), "{refused}");
            assert!(refused.contains("$1"), "{refused}");
            assert!(!refused.contains("drop table"), "{refused}");
        }
    }

    #[test]
    fn a_place_that_cannot_be_read_is_refused() {
        for source in ["?", "/a~2", "/~"] {
            assert!(Source::parse(source).is_err(), "{source}");
        }
    }
}
