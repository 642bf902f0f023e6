//! What states are called here.

use belay_core::JobState;

/// Where a bulk action stands, in the words of this interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Scheduled,
    Running,
    Cancelled,
    Completed,
    Failed,
}

impl Status {
    pub(super) const ALL: [Self; 5] = [
        Self::Scheduled,
        Self::Running,
        Self::Cancelled,
        Self::Completed,
        Self::Failed,
    ];

    pub(super) const fn of(state: JobState) -> Self {
        match state {
            JobState::Open | JobState::Scheduled | JobState::Queued => Self::Scheduled,
            JobState::Running | JobState::Suspended => Self::Running,
            JobState::Cancelling | JobState::Cancelled => Self::Cancelled,
            JobState::Completed => Self::Completed,
            JobState::Failed => Self::Failed,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// The states that are called so.
    pub(super) fn states(self) -> Vec<JobState> {
        JobState::ALL
            .into_iter()
            .filter(|state| Self::of(*state) == self)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_turns_back_and_every_state_has_one() {
        let mut states = Vec::new();
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
            states.extend(status.states());
        }
        assert_eq!(states.len(), JobState::ALL.len());
        assert_eq!(Status::parse("queued"), None);
    }
}
