//! Moments as every face writes them: UTC, to the millisecond.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// A moment: `YYYY-MM-DDTHH:MM:SS.sssZ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-12-24T18:00:00.000Z")]
pub(crate) struct Time(pub(crate) DateTime<Utc>);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_always_there_and_never_rounded_up() {
        for (micros, text) in [
            (0, "2026-12-24T18:00:00.000Z"),
            (999_999, "2026-12-24T18:00:00.999Z"),
            (1_000_500, "2026-12-24T18:00:01.000Z"),
        ] {
            let time = DateTime::from_timestamp_micros(1_798_135_200_000_000 + micros).unwrap();
            assert_eq!(Time(time).to_string(), text);
        }
    }
}
