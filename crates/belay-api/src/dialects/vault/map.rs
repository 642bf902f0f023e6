//! Words: what the dialect calls the states, and what it answers for a job that was to be cancelled.

use belay_core::JobState;
use belay_core::ops::Outcome;

use super::entries::Entry;
use super::wire::{CancelAnswer, ErrorType};
use crate::service::cancel::Cancelled;

/// What a state is called.
pub(super) const fn status(state: JobState) -> &'static str {
    match state {
        JobState::Open => "QUEUEING",
        JobState::Scheduled => "SCHEDULED",
        JobState::Queued => "QUEUED",
        JobState::Running | JobState::Suspended => "RUNNING",
        JobState::Cancelling => "CANCELLING",
        JobState::Cancelled => "CANCELLED",
        JobState::Completed => "SUCCESS",
        JobState::Failed => "ERRORS_ENCOUNTERED",
    }
}

/// Whether a job that is in that state now, and that the request did not change, counts as cancelled by it.
const fn is_on_its_way(state: JobState) -> bool {
    match state {
        JobState::Cancelling => true,
        JobState::Open
        | JobState::Scheduled
        | JobState::Queued
        | JobState::Running
        | JobState::Suspended
        | JobState::Cancelled
        | JobState::Completed
        | JobState::Failed => false,
    }
}

/// The states that a word in the list of unfinished jobs means; `None` when it is no such word.
pub(super) fn unfinished(word: &str) -> Option<&'static [JobState]> {
    Some(match word {
        "queueing" => &[JobState::Open],
        "scheduled" => &[JobState::Scheduled],
        "queued" => &[JobState::Queued],
        "running" => &[JobState::Running, JobState::Suspended],
        "cancelling" => &[JobState::Cancelling],
        _ => return None,
    })
}

/// The words that [`unfinished`] knows.
pub(super) const UNFINISHED: &str = "scheduled, queued, queueing, running or cancelling";

/// The states that a word in the list of finished jobs means, some of them none; `None` when it is no such word.
pub(super) fn finished(word: &str) -> Option<&'static [JobState]> {
    Some(match word {
        "success" => &[JobState::Completed],
        "errors_encountered" => &[JobState::Failed],
        "cancelled" => &[JobState::Cancelled],
        "failed_to_run" | "missed_schedule" | "timeout" | "completed_due_to_inactivity" => &[],
        _ => return None,
    })
}

/// The words that [`finished`] knows.
pub(super) const FINISHED: &str = "success, errors_encountered, failed_to_run, missed_schedule, timeout, completed_due_to_inactivity or cancelled";

/// What is answered for an entry that names no job.
pub(super) fn unusable(entry: &Entry) -> CancelAnswer {
    match entry {
        Entry::Missing => CancelAnswer::refused(
            ErrorType::ParameterRequired,
            "Missing required parameter [job_id]".into(),
        ),
        Entry::Invalid(text) => {
            CancelAnswer::refused(ErrorType::InvalidData, format!("Invalid job_id [{text}]"))
        }
        Entry::Job(id) => CancelAnswer::refused(ErrorType::InvalidData, unknown(*id)),
    }
}

/// What is said of a job that is not there.
pub(super) fn unknown(id: i64) -> String {
    format!("Job [{id}] is not found")
}

/// What is answered for a job that was to be cancelled.
pub(super) fn cancelled(cancelled: &Cancelled) -> CancelAnswer {
    let id = cancelled.id;
    let refused = || {
        CancelAnswer::refused(
            ErrorType::InvalidData,
            format!("Job [{id}] is not found in QUEUED or QUEUEING state"),
        )
    };
    match (cancelled.outcome, cancelled.state) {
        (Outcome::Cancelled | Outcome::Cancelling, _) => CancelAnswer::accepted(id),
        (Outcome::Already, Some(state)) if is_on_its_way(state) => CancelAnswer::accepted(id),
        (Outcome::Already | Outcome::Refused, _) => refused(),
        (Outcome::Missing, _) => CancelAnswer::refused(ErrorType::InvalidData, unknown(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_can_be_asked_for_in_exactly_one_of_the_lists() {
        for state in JobState::ALL {
            let word = status(state).to_lowercase();
            let (live, over) = (unfinished(&word), finished(&word));
            assert_eq!(over.is_some(), state.is_terminal(), "{state}");
            assert_eq!(live.is_some(), !state.is_terminal(), "{state}");
            assert!(live.or(over).unwrap().contains(&state), "{state}");
        }
    }
}
