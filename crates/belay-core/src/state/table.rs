//! The one table of legal transitions: (state, event) -> state. Everything absent is refused and changes nothing.

use super::JobState;
use JobState::{
    Cancelled, Cancelling, Completed, Failed, Open, Queued, Running, Scheduled, Suspended,
};

/// What can happen to a job after it was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The upload is closed; the job's time has come.
    Close,
    /// The upload is closed; the job's time is still to come.
    CloseForLater,
    /// The time has come, or somebody said "now".
    Promote,
    /// A worker took the job.
    Claim,
    /// The worker reports success.
    Complete,
    /// The worker reports a failure that ends the job.
    Fail,
    /// The worker reports a failure with attempts left, a snooze, or gives the job back.
    Reschedule,
    /// The worker lost its lease and attempts are left.
    LeaseLost,
    /// The worker lost its lease and no attempt is left.
    LeaseLostForGood,
    /// Somebody asks to hold the work still.
    Suspend,
    /// Somebody lets it go on.
    Resume,
    /// Somebody cancels.
    Cancel,
    /// The worker reports, whatever it reports, after a cancel.
    Stopped,
}

impl Event {
    /// All events.
    pub const ALL: [Self; 13] = [
        Self::Close,
        Self::CloseForLater,
        Self::Promote,
        Self::Claim,
        Self::Complete,
        Self::Fail,
        Self::Reschedule,
        Self::LeaseLost,
        Self::LeaseLostForGood,
        Self::Suspend,
        Self::Resume,
        Self::Cancel,
        Self::Stopped,
    ];
}

/// One legal transition.
pub type Transition = (JobState, Event, JobState);

/// Every legal transition. `Cancelling` has one exit, `Cancelled`; terminal states have none. A report that arrives
/// while `Cancelling` is the event `Stopped`, whatever its words. A job that loses its lease while held still always
/// goes back to the line: the attempt it was holding is given back to it.
pub const TRANSITIONS: &[Transition] = &[
    (Open, Event::Close, Queued),
    (Open, Event::CloseForLater, Scheduled),
    (Open, Event::Cancel, Cancelled),
    (Scheduled, Event::Promote, Queued),
    (Scheduled, Event::Cancel, Cancelled),
    (Queued, Event::Claim, Running),
    (Queued, Event::Cancel, Cancelled),
    (Running, Event::Complete, Completed),
    (Running, Event::Fail, Failed),
    (Running, Event::Reschedule, Scheduled),
    (Running, Event::LeaseLost, Queued),
    (Running, Event::LeaseLostForGood, Failed),
    (Running, Event::Suspend, Suspended),
    (Running, Event::Cancel, Cancelling),
    (Suspended, Event::Resume, Running),
    (Suspended, Event::LeaseLost, Queued),
    (Suspended, Event::LeaseLostForGood, Queued),
    (Suspended, Event::Cancel, Cancelling),
    (Cancelling, Event::Stopped, Cancelled),
    (Cancelling, Event::LeaseLost, Cancelled),
    (Cancelling, Event::LeaseLostForGood, Cancelled),
];

/// The state a job in `state` goes to on `event`, or `None` when that is refused.
#[must_use]
pub fn next(state: JobState, event: Event) -> Option<JobState> {
    TRANSITIONS
        .iter()
        .find(|(from, on, _)| *from == state && *on == event)
        .map(|(_, _, to)| *to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancelling_has_one_exit_and_terminal_states_have_none() {
        for state in JobState::ALL {
            for event in Event::ALL {
                let to = next(state, event);
                if state == Cancelling {
                    assert!(
                        to.is_none() || to == Some(Cancelled),
                        "{state} on {event:?} goes to {to:?}"
                    );
                }
                if state.is_terminal() {
                    assert_eq!(to, None, "{state} on {event:?}");
                }
            }
        }
    }

    #[test]
    fn every_unfinished_state_can_be_cancelled_or_is_being_cancelled() {
        for state in JobState::ALL
            .into_iter()
            .filter(|s| !s.is_terminal() && *s != Cancelling)
        {
            let to = next(state, Event::Cancel);
            assert_eq!(
                to,
                Some(if state.is_held() {
                    Cancelling
                } else {
                    Cancelled
                }),
                "{state}"
            );
        }
    }

    #[test]
    fn no_pair_stands_twice() {
        for (i, (from, event, _)) in TRANSITIONS.iter().enumerate() {
            assert!(
                !TRANSITIONS[i + 1..]
                    .iter()
                    .any(|(f, e, _)| f == from && e == event),
                "{from} {event:?}"
            );
        }
    }
}
