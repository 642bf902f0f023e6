//! Many at once, and at the same moment as workers.

use belay_core::JobState;
use belay_core::ops::{self, Line, LineFloor, Report, Verdict};

use super::face::{ALL, Face, Meaning};
use crate::support::{World, at_once};

#[test]
fn of_twenty_cancels_at_once_one_has_an_effect() {
    let world = World::new();
    for face in ALL {
        for state in [JobState::Queued, JobState::Running] {
            let made = world.make(state);
            if face.expected(state, made.worker != 0) != Meaning::Accepted {
                continue;
            }
            let ask = face.cancel(&world, made.id);
            let answers = at_once(20, || face.meaning(&ask.send(&world)));
            let accepted = answers.iter().filter(|a| **a == Meaning::Accepted).count();
            let others = face.expected(world.seen(made.id).state, made.worker != 0);
            let expected = if others == Meaning::Accepted { 20 } else { 1 };
            assert_eq!(accepted, expected, "{face:?} {state}: {answers:?}");
            assert!(
                answers
                    .iter()
                    .all(|a| *a == Meaning::Accepted || *a == others),
                "{answers:?}"
            );
            let records = world
                .db
                .read(|c| belay_core::query::timeline(c, &world.seen(made.id)))
                .unwrap();
            let cancels = records
                .iter()
                .filter(|entry| entry.via == face.via())
                .count();
            assert_eq!(cancels, 1, "{face:?} {state}: {records:?}");
        }
    }
}

#[test]
fn a_cancel_and_a_claim_at_the_same_moment_agree_on_who_was_first() {
    let world = World::new();
    for face in ALL {
        for _ in 0..6 {
            let made = world.make(JobState::Queued);
            let job = world.seen(made.id);
            let ask = face.cancel(&world, made.id);
            let worker = world.worker_for(&job);
            let line = LineFloor {
                line: Line {
                    priority: job.priority,
                    queue: job.queue.clone(),
                    kind: job.kind.clone(),
                },
                floor: 0,
            };
            let (meaning, claimed) = std::thread::scope(|scope| {
                let cancel = scope.spawn(|| face.meaning(&ask.send(&world)));
                let claim = scope.spawn(|| {
                    world
                        .db
                        .read(|c| ops::claim(c, worker, std::slice::from_ref(&line), 1))
                        .unwrap()
                        .len()
                });
                (cancel.join().unwrap(), claim.join().unwrap())
            });
            let now = world.seen(made.id);
            match (claimed, meaning) {
                // It never ran.
                (0, Meaning::Accepted) => {
                    assert_eq!(now.state, JobState::Cancelled);
                    assert_eq!(now.started_at, None, "{face:?}");
                }
                // It ran first: then the answer is the one for a running job.
                (1, Meaning::Accepted) => {
                    assert_eq!(face.expected(JobState::Running, true), Meaning::Accepted);
                    assert_eq!(now.state, JobState::Cancelling, "{face:?}");
                }
                (1, Meaning::Refused) => {
                    assert_eq!(face.expected(JobState::Running, true), Meaning::Refused);
                    assert_eq!(now.state, JobState::Running, "{face:?}");
                }
                other => panic!("{face:?}: {other:?}, {now:?}"),
            }
        }
    }
}

#[test]
fn a_cancel_and_a_completion_at_the_same_moment_agree_on_who_was_first() {
    let world = World::new();
    for face in [Face::Prospecting, Face::Bulk, Face::Ingest] {
        for _ in 0..8 {
            let made = world.make(JobState::Running);
            let ask = face.cancel(&world, made.id);
            let report = Report {
                id: made.id,
                fence: made.fence,
                verdict: Verdict::Completed,
            };
            let meaning = std::thread::scope(|scope| {
                let cancel = scope.spawn(|| face.meaning(&ask.send(&world)));
                let completion = scope.spawn(|| {
                    world
                        .db
                        .tx(|c| ops::settle(c, made.worker, std::slice::from_ref(&report)))
                        .unwrap()
                });
                completion.join().unwrap();
                cancel.join().unwrap()
            });
            let now = world.seen(made.id).state;
            match meaning {
                Meaning::Accepted => assert_eq!(now, JobState::Cancelled, "{face:?}"),
                Meaning::Refused => assert_eq!(now, JobState::Completed, "{face:?}"),
                other => panic!("{face:?}: {other:?}"),
            }
        }
    }
}
