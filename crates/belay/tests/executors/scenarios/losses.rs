//! Processes that freeze, die or end while they hold jobs.

use belay_core::JobState;
use belay_core::ops::Outcome;

use crate::subject::{Node, Subject, Work};
use crate::world::World;

/// The process stands still for longer than its lease, and goes on when its job runs elsewhere.
pub(crate) fn lease_lost<S: Subject>() {
    let world = World::new();
    let subject = S::new(&world);
    let frozen = subject.start(&world, Node::brief("frozen"));
    let id = world.enqueue(&Work::Waits.job());
    let first = world.until_running(id, 1);
    subject.begun(&world, id);
    assert_eq!(first.worker, Some(frozen.worker));
    frozen.freeze();
    let other = subject.start(&world, Node::steady("other"));
    // The loss raises the fence, and so does the next claim.
    let second = world.until_running(id, 3);
    assert_eq!((second.attempt, second.worker), (2, Some(other.worker)));
    frozen.thaw(&world);
    // Whatever it has to say of its attempt is said when it has ended.
    frozen.drain();
    let job = world.job(id);
    assert_eq!((job.state, job.fence), (JobState::Running, 3));
    assert_eq!(job.worker, Some(other.worker));
    assert_eq!(
        world.events(id),
        ["created", "claimed", "lease_lost", "claimed"]
    );
    world.cancel(id, "over");
    world.until(id, JobState::Cancelled);
    assert_eq!(world.rung(id), S::STOPPED);
    subject.nothing_left(&world);
    other.drain();
}

/// The process is killed; one of its jobs is cancelled before anybody has noticed.
pub(crate) fn killed<S: Subject>() {
    let world = World::new();
    let subject = S::new(&world);
    let node = subject.start(&world, Node::brief("node"));
    let ids = [(); 2].map(|()| world.enqueue(&Work::Waits.job()));
    for id in ids {
        world.until_running(id, 1);
        subject.begun(&world, id);
    }
    node.kill_9();
    let [again, cancelled] = ids;
    let answer = world.cancel(cancelled, "not wanted");
    assert_eq!(answer.outcome, Outcome::Cancelling);
    let other = subject.start(&world, Node::steady("other"));
    let job = world.until_running(again, 3);
    assert_eq!((job.attempt, job.worker), (2, Some(other.worker)));
    let job = world.until(cancelled, JobState::Cancelled);
    assert_eq!(job.attempt, 1, "it never ran again");
    assert_eq!(world.rung(cancelled), "lease_lost");
    world.cancel(again, "over");
    world.until(again, JobState::Cancelled);
    subject.nothing_left(&world);
    other.drain();
}

/// The process is asked to end: what does not end in time is stopped, and given back with its attempt.
pub(crate) fn drain<S: Subject>() {
    let world = World::new();
    let subject = S::new(&world);
    let node = subject.start(&world, Node::steady("node"));
    let id = world.enqueue(&Work::Waits.job());
    world.until_running(id, 1);
    subject.begun(&world, id);
    node.drain();
    let job = world.job(id);
    assert!(
        matches!(job.state, JobState::Scheduled | JobState::Queued),
        "{}: {:?}",
        job.state,
        job.last_error
    );
    assert_eq!((job.attempt, job.worker), (0, None));
    subject.nothing_left(&world);
    let other = subject.start(&world, Node::steady("other"));
    let job = world.until_running(id, job.fence + 1);
    assert_eq!(job.attempt, 1);
    world.cancel(id, "over");
    world.until(id, JobState::Cancelled);
    other.drain();
}
