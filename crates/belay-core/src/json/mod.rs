//! JSON is checked before it reaches SQL: PostgreSQL would refuse some of it in the middle of a transaction, and silently
//! drop the first of two equal member names.

mod numbers;

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Deepest nesting of arrays and objects that is accepted.
pub const MAX_DEPTH: usize = 64;
/// Largest payload accepted, in bytes.
pub const MAX_PAYLOAD: usize = 1_048_576;

/// What is wrong with a JSON text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or JSON that the database could not hold.
    #[error("not acceptable as JSON: {0}")]
    Malformed(String),
    /// More than [`MAX_PAYLOAD`] bytes.
    #[error("{0} bytes of JSON, more than the {MAX_PAYLOAD} allowed")]
    TooLarge(usize),
}

/// Checks a payload: one JSON value, at most [`MAX_DEPTH`] deep and [`MAX_PAYLOAD`] bytes, without NUL characters and
/// without repeated member names.
///
/// # Errors
/// Says what is wrong and where.
pub fn check_payload(text: &str) -> Result<(), JsonError> {
    if text.len() > MAX_PAYLOAD {
        return Err(JsonError::TooLarge(text.len()));
    }
    check(text)
}

/// As [`check_payload`], without the limit on size.
///
/// # Errors
/// Says what is wrong and where.
pub fn check(text: &str) -> Result<(), JsonError> {
    check_within(text, MAX_DEPTH)
}

/// As [`check`], with another limit on the nesting: for what is wrapped around a payload that is checked by itself.
///
/// # Errors
/// Says what is wrong and where.
pub fn check_within(text: &str, max_depth: usize) -> Result<(), JsonError> {
    walk(text, max_depth, true)?;
    numbers::check(text).map_err(JsonError::Malformed)
}

/// Checks a text that is read and not kept: one JSON value, at most `max_depth` deep, without repeated member names in the
/// outermost object. What the database could not hold may stand in members that nobody reads.
///
/// # Errors
/// Says what is wrong and where.
pub fn check_shape(text: &str, max_depth: usize) -> Result<(), JsonError> {
    walk(text, max_depth, false)
}

fn walk(text: &str, max_depth: usize, kept: bool) -> Result<(), JsonError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let malformed = |e: serde_json::Error| JsonError::Malformed(e.to_string());
    Value {
        depth: 0,
        max_depth,
        kept,
    }
    .deserialize(&mut reader)
    .map_err(malformed)?;
    reader.end().map_err(malformed)
}

#[derive(Clone, Copy)]
struct Value {
    depth: usize,
    max_depth: usize,
    /// Whether the database has to hold it.
    kept: bool,
}

impl Value {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= self.max_depth {
            let max = self.max_depth;
            return Err(E::custom(format_args!("nested more than {max} deep")));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if self.kept && text.contains('\0') {
            return Err(E::custom(
                "a string holds the character NUL (\\u0000), which the database cannot store",
            ));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            self.visit_str(&name)?;
            members.next_value_seed(inner)?;
            if (self.kept || self.depth == 0)
                && let Some(twice) = names.replace(name)
            {
                return Err(A::Error::custom(format_args!(
                    "the member {twice:?} stands twice"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_values_pass() {
        for text in [
            "null",
            "1",
            "-1.5e3",
            "\"é\"",
            "[]",
            "{}",
            r#"{"a":[1,{"b":null}],"c":"\u00e9"}"#,
            " {} ",
        ] {
            assert_eq!(check_payload(text), Ok(()), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert_eq!(check_payload(&deep), Ok(()));
    }

    #[test]
    fn what_nobody_keeps_need_not_be_storable() {
        for text in [
            r#"{"note":"\u0000"}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"[{"a":1,"a":2}]"#,
            "[1e-17000]",
        ] {
            assert!(check(text).is_err(), "{text}");
            assert_eq!(check_shape(text, MAX_DEPTH), Ok(()), "{text}");
        }
        for text in [r#"{"a":1,"a":2}"#, "{", "{} {}", "[[]]"] {
            assert!(check_shape(text, 1).is_err(), "{text}");
        }
    }

    #[test]
    fn what_the_database_would_refuse_or_change_is_refused() {
        let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
        let large = format!("\"{}\"", "x".repeat(MAX_PAYLOAD));
        for text in [
            "",
            "{",
            "{} {}",
            "nul",
            "{\"a\":1,}",
            "[1 2]",
            "1e999",
            r#""\u0000""#,
            r#"{"\u0000":1}"#,
            r#"{"a":1,"a":2}"#,
            r#"[{"x":{"a":1,"b":2,"a":3}}]"#,
            r#""\ud800""#,
            "NaN",
            "'a'",
            deep.as_str(),
            large.as_str(),
        ] {
            assert!(
                check_payload(text).is_err(),
                "{}",
                &text[..text.len().min(60)]
            );
        }
    }
}
