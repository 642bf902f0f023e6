//! What this dialect calls the states.

use belay_core::JobState;

/// The word for a state.
pub(super) const fn word(state: JobState) -> &'static str {
    match state {
        JobState::Open | JobState::Scheduled | JobState::Queued => "queued",
        JobState::Running | JobState::Suspended => "running",
        JobState::Cancelling | JobState::Cancelled => "cancelled",
        JobState::Completed => "completed",
        JobState::Failed => "failed",
    }
}

/// The words there are.
pub(super) const WORDS: [&str; 5] = ["queued", "running", "cancelled", "completed", "failed"];

/// The states that are called so; `None` for a word that is none of this dialect's.
pub(super) fn states(asked: &str) -> Option<Vec<JobState>> {
    let states: Vec<JobState> = JobState::ALL
        .into_iter()
        .filter(|state| word(*state) == asked)
        .collect();
    (!states.is_empty()).then_some(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_names_states_and_together_they_name_all() {
        let mut named: Vec<JobState> = WORDS.into_iter().flat_map(|w| states(w).unwrap()).collect();
        named.sort_unstable();
        assert_eq!(named, JobState::ALL);
        for word in ["", "Queued", "cancelling", "open", "all"] {
            assert_eq!(states(word), None, "{word}");
        }
    }
}
