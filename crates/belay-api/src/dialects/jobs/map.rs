//! What this dialect calls the states.

use belay_core::JobState;

/// The word for a state.
pub(super) const fn word(state: JobState) -> &'static str {
    match state {
        JobState::Open => "new",
        JobState::Scheduled => "scheduled",
        JobState::Queued => "sent",
        JobState::Running => "started",
        JobState::Suspended => "suspended",
        JobState::Cancelling | JobState::Cancelled => "cancelled",
        JobState::Completed => "completedOk",
        JobState::Failed => "completedWithIssues",
    }
}

/// Words that belong to the dialect and that no job of ours ever has.
pub(super) const NEVER: [&str; 5] = ["unscheduled", "read", "accepted", "refused", "onTheWay"];

/// The words jobs have.
pub(super) const WORDS: [&str; 8] = [
    "new",
    "scheduled",
    "sent",
    "started",
    "suspended",
    "cancelled",
    "completedOk",
    "completedWithIssues",
];

/// The states that are called so, none for a word that no job ever has; `None` for a word that is none of this dialect's.
pub(super) fn states(asked: &str) -> Option<Vec<JobState>> {
    let states: Vec<JobState> = JobState::ALL
        .into_iter()
        .filter(|state| word(*state) == asked)
        .collect();
    (!states.is_empty() || NEVER.contains(&asked)).then_some(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_names_states_and_together_they_name_all() {
        let mut named: Vec<JobState> = WORDS.into_iter().flat_map(|w| states(w).unwrap()).collect();
        named.sort_unstable();
        assert_eq!(named, JobState::ALL);
        for word in NEVER {
            assert_eq!(states(word), Some(Vec::new()), "{word}");
        }
        for word in ["", "New", "completed", "cancelling", "all"] {
            assert_eq!(states(word), None, "{word}");
        }
    }
}
