//! What a cancel does, by state, and what a second one does.

use belay_core::JobState;

use super::face::{ALL, Face, Meaning};
use super::shape::assert_failure;
use crate::support::World;

/// The state of a job after a cancel that was accepted.
const fn after(state: JobState) -> JobState {
    match state {
        JobState::Open | JobState::Scheduled | JobState::Queued => JobState::Cancelled,
        JobState::Running | JobState::Suspended => JobState::Cancelling,
        JobState::Cancelling | JobState::Cancelled | JobState::Completed | JobState::Failed => {
            state
        }
    }
}

#[test]
fn each_state_is_answered_as_its_document_says_and_all_interfaces_agree_on_what_became_of_it() {
    let world = World::new();
    for face in ALL {
        for state in JobState::ALL {
            let made = world.make(state);
            let started = made.worker != 0;
            let before = world.seen(made.id);
            let reply = face.cancel(&world, made.id).send(&world);
            let expected = face.expected(state, started);
            let about = format!("{face:?} {state}");
            assert_eq!(face.meaning(&reply), expected, "{about}: {reply:?}");
            let now = world.seen(made.id);
            if expected == Meaning::Accepted {
                assert_eq!(now.state, after(state), "{about}");
            } else {
                assert_eq!(now, before, "{about}");
                if face != Face::Vault {
                    assert_failure(face, &reply, &about);
                }
            }
            for other in ALL {
                assert_eq!(
                    other.shown(&world, made.id),
                    other.word(now.state),
                    "{other:?} after {about}"
                );
            }
        }
    }
}

#[test]
fn a_second_cancel_changes_nothing() {
    let world = World::new();
    for face in ALL {
        for state in [JobState::Scheduled, JobState::Queued, JobState::Running] {
            let made = world.make(state);
            let started = made.worker != 0;
            if face.expected(state, started) != Meaning::Accepted {
                continue;
            }
            let first = face.cancel(&world, made.id).send(&world);
            assert_eq!(face.meaning(&first), Meaning::Accepted, "{face:?} {state}");
            let mark = world.seen(made.id).cancel().unwrap();
            assert_eq!(
                (mark.actor.as_str(), mark.interface.as_str()),
                ("root", face.via())
            );
            let before = world.contents();
            let second = face.cancel(&world, made.id).send(&world);
            let now = world.seen(made.id).state;
            let expected = face.expected(now, started);
            assert_eq!(
                face.meaning(&second),
                expected,
                "{face:?} {state}: {second:?}"
            );
            assert_eq!(world.contents(), before, "{face:?} {state}");
        }
    }
}

/// Whoever cancels first, the other interfaces say what their documents say of a job that was cancelled.
#[test]
fn a_cancel_through_another_interface_is_a_second_cancel() {
    let world = World::new();
    for first in ALL {
        for second in ALL {
            let made = world.make(JobState::Queued);
            let reply = first.cancel(&world, made.id).send(&world);
            assert_eq!(first.meaning(&reply), Meaning::Accepted);
            let reply = second.cancel(&world, made.id).send(&world);
            assert_eq!(
                second.meaning(&reply),
                second.expected(JobState::Cancelled, false),
                "{first:?} then {second:?}: {reply:?}"
            );
            let mark = world.seen(made.id).cancel().unwrap();
            assert_eq!(mark.interface, first.via());
        }
    }
}

/// A job that runs is stopped by its worker's word only; what it says instead does not count.
#[test]
fn a_job_whose_cancel_was_accepted_cannot_complete() {
    let world = World::new();
    for face in [Face::Prospecting, Face::Bulk, Face::Ingest] {
        let made = world.make(JobState::Running);
        let reply = face.cancel(&world, made.id).send(&world);
        assert_eq!(face.meaning(&reply), Meaning::Accepted);
        world.settle(made, belay_core::ops::Verdict::Completed);
        assert_eq!(world.seen(made.id).state, JobState::Cancelled, "{face:?}");
        for other in ALL {
            assert_eq!(
                other.shown(&world, made.id),
                other.word(JobState::Cancelled)
            );
        }
    }
}
