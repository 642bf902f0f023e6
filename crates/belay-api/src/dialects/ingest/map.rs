//! The words of this dialect for what the core knows.

use belay_core::JobState;
use belay_core::query::ingest::Order;

/// What this dialect calls a state.
pub(super) const fn word(state: JobState) -> &'static str {
    match state {
        JobState::Open => "Open",
        JobState::Scheduled | JobState::Queued => "UploadComplete",
        JobState::Running | JobState::Suspended => "InProgress",
        JobState::Cancelling | JobState::Cancelled => "Aborted",
        JobState::Completed => "JobComplete",
        JobState::Failed => "Failed",
    }
}

/// The states that this dialect calls so; none when it is no word of this dialect.
pub(super) fn states(name: &str) -> Vec<JobState> {
    JobState::ALL
        .into_iter()
        .filter(|state| word(*state) == name)
        .collect()
}

/// The orders of a list, by the member they go by.
pub(super) const ORDERS: [(&str, Order); 7] = [
    ("systemModstamp", Order::Modified),
    ("createdDate", Order::Created),
    ("id", Order::Number),
    ("state", Order::State),
    ("object", Order::Object),
    ("operation", Order::Operation),
    ("sourceName", Order::Source),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_found_under_its_word() {
        let words = [
            "Open",
            "UploadComplete",
            "InProgress",
            "Aborted",
            "JobComplete",
            "Failed",
        ];
        let mut found: Vec<JobState> = words.into_iter().flat_map(states).collect();
        found.sort();
        assert_eq!(found, JobState::ALL);
        for no_word in ["", "open", "Running", "aborted"] {
            assert_eq!(states(no_word), [], "{no_word}");
        }
    }
}
