//! The shapes of the native HTTP API, for `--json`. A test compares them with what the API answers.

mod house;
mod job;
mod record;

pub(crate) use house::{Key, Tenant};
pub(crate) use job::{Job, Jobs};
pub(crate) use record::{Attempt, Cancelled, Event, Moved, Outputs, Timeline};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

/// A moment as the HTTP API writes it: UTC, to the millisecond.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(pub(crate) DateTime<Utc>);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}
