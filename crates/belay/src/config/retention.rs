//! `[retention]`: how long finished jobs and the record are kept.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

/// How long things are kept. Whole partitions are dropped, so a finished job stays up to a day longer, an event up to a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Finished jobs with their output.
    #[serde(deserialize_with = "duration::required")]
    pub jobs: Duration,
    /// The record: who did what to which job.
    #[serde(deserialize_with = "duration::required")]
    pub events: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let belay_worker::Retention { jobs, events } = belay_worker::Retention::default();
        Self { jobs, events }
    }
}

impl From<Retention> for belay_worker::Retention {
    fn from(section: Retention) -> Self {
        Self {
            jobs: section.jobs,
            events: section.events,
        }
    }
}
