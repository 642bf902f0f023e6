//! Durations as people write them: "10s", "1h 30m", "7d".

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::de::{Deserializer, Error, Visitor};

use super::ConfigError;

/// Reads a duration. `10` alone is refused: nobody could tell its unit.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim()).map_err(|_| {
        format!("{text:?} is not a duration; write for example \"10s\", \"1h 30m\" or \"7d\"")
    })
}

struct Words;

impl Visitor<'_> for Words {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration in quotes with its unit, for example \"10s\", \"1h 30m\" or \"7d\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).map_err(E::custom)
    }
}

/// For `deserialize_with`.
pub(crate) fn required<'de, D: Deserializer<'de>>(reader: D) -> Result<Duration, D::Error> {
    reader.deserialize_str(Words)
}

/// For `deserialize_with` of a member that may be absent.
pub(crate) fn optional<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Duration>, D::Error> {
    required(reader).map(Some)
}

/// Checks a range.
pub(crate) fn check(
    member: &str,
    value: Duration,
    range: RangeInclusive<Duration>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError::member(
        member,
        format!(
            "{} is out of range; it must be from {} to {}",
            humantime::format_duration(value),
            humantime::format_duration(*range.start()),
            humantime::format_duration(*range.end()),
        ),
    ))
}

/// Seconds, for ranges.
pub(crate) const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Days, for ranges.
pub(crate) const fn days(n: u64) -> Duration {
    Duration::from_secs(n * 24 * 60 * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_spellings() {
        for (text, seconds) in [
            ("10s", 10),
            ("1h 30m", 5400),
            ("7d", 604_800),
            (" 2min ", 120),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
    }

    #[test]
    fn a_number_without_unit_is_refused() {
        for text in ["10", "", "ten", "-1s", "1 fortnight"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
