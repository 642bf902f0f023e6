//! Work that is cancelled or held still.

use std::time::Instant;

use belay_core::JobState;
use belay_core::ops::Outcome;
use belay_testkit::eventually;

use crate::subject::{Deaf, GRACE, Node, Subject, Work};
use crate::world::{LONG, World};

pub(crate) fn cancel_before_start<S: Subject>() {
    let world = World::new();
    let subject = S::new(&world);
    let node = subject.start(
        &world,
        Node {
            slots: 1,
            ..Node::steady("node")
        },
    );
    let first = world.enqueue(&Work::Waits.job());
    world.until_running(first, 1);
    subject.begun(&world, first);
    let id = world.enqueue(&Work::Succeeds.job());
    assert_eq!(world.cancel(id, "not wanted").outcome, Outcome::Cancelled);
    assert_eq!(world.cancel(first, "over").outcome, Outcome::Cancelling);
    world.until(first, JobState::Cancelled);
    // Whoever looks for work after that does not find it.
    let next = world.enqueue(&Work::Succeeds.job());
    world.until(next, JobState::Completed);
    let job = world.job(id);
    assert_eq!((job.state, job.attempt), (JobState::Cancelled, 0));
    assert_eq!(world.rung(id), "never_started");
    assert_eq!(world.happened(id, "claimed"), 0);
    subject.nothing_left(&world);
    node.drain();
}

pub(crate) fn cancel_while_running<S: Subject>() {
    let world = World::new();
    let subject = S::new(&world);
    let node = subject.start(&world, Node::steady("node"));
    let id = world.enqueue(&Work::Waits.job());
    world.until_running(id, 1);
    subject.begun(&world, id);
    assert_eq!(world.cancel(id, "not wanted").outcome, Outcome::Cancelling);
    let job = world.until(id, JobState::Cancelled);
    let mark = job.cancel().unwrap();
    assert_eq!(mark.rung.as_deref(), Some(S::STOPPED));
    assert_eq!(mark.reason.as_deref(), Some("not wanted"));
    assert_eq!((job.attempt, job.fence), (1, 1));
    assert_eq!(
        world.events(id),
        ["created", "claimed", "cancel_requested", "cancelled"]
    );
    subject.nothing_left(&world);
    node.drain();
}

pub(crate) fn cancel_ignored<S: Subject>() {
    let world = World::new();
    let subject = S::new(&world);
    // Where it cannot be ended its worker has to die.
    let node = subject.start(&world, Node::brief("node"));
    let id = world.enqueue(&Work::Deaf.job());
    world.until_running(id, 1);
    subject.begun(&world, id);
    let asked = Instant::now();
    assert_eq!(world.cancel(id, "not wanted").outcome, Outcome::Cancelling);
    match S::DEAF {
        Deaf::Ended(rung) => {
            world.until(id, JobState::Cancelled);
            // Tries that would come after the grace period are not made.
            assert!(asked.elapsed() >= GRACE / 2, "{:?}", asked.elapsed());
            assert_eq!(world.rung(id), rung);
            subject.nothing_left(&world);
            node.drain();
        }
        Deaf::GoesOn { says_so } => {
            let said = eventually(LONG, || {
                let output = world.output(id)?;
                let over = asked.elapsed() > GRACE * 3;
                (over || output.stderr.contains("still running")).then_some(output)
            });
            assert!(asked.elapsed() >= GRACE, "{:?}", asked.elapsed());
            assert_eq!(
                said.stderr.contains("told to stop"),
                says_so,
                "{}",
                said.stderr
            );
            assert_eq!(world.job(id).state, JobState::Cancelling);
            node.kill_9();
            let next = subject.start(&world, Node::brief("next"));
            world.until(id, JobState::Cancelled);
            assert_eq!(world.rung(id), "lease_lost");
            next.drain();
        }
    }
    assert_eq!(world.happened(id, "claimed"), 1, "it never ran again");
}

pub(crate) fn cancel_twice<S: Subject>() {
    let world = World::new();
    let subject = S::new(&world);
    let node = subject.start(&world, Node::steady("node"));
    let id = world.enqueue(&Work::Waits.job());
    world.until_running(id, 1);
    subject.begun(&world, id);
    assert_eq!(world.cancel(id, "the first").outcome, Outcome::Cancelling);
    let during = world.cancel(id, "the second");
    assert_eq!(during.outcome, Outcome::Already);
    let job = world.until(id, JobState::Cancelled);
    let after = world.cancel(id, "the third");
    assert_eq!(after.outcome, Outcome::Already);
    let mark = job.cancel().unwrap();
    assert_eq!(mark.reason.as_deref(), Some("the first"));
    assert_eq!(
        world.job(id).cancel().unwrap().reason.as_deref(),
        Some("the first")
    );
    assert_eq!(world.happened(id, "cancel_requested"), 1);
    assert_eq!(world.happened(id, "cancelled"), 1);
    subject.nothing_left(&world);
    node.drain();
}

pub(crate) fn suspend<S: Subject>() {
    let world = World::new();
    let subject = S::new(&world);
    let node = subject.start(&world, Node::steady("node"));
    let id = world.enqueue(&Work::Waits.job());
    world.until_running(id, 1);
    subject.begun(&world, id);
    if S::SUSPENDS {
        assert_eq!(world.suspend(id).unwrap(), JobState::Running);
        assert_eq!(world.job(id).state, JobState::Suspended);
        assert_eq!(world.resume(id).unwrap(), JobState::Suspended);
        world.until_running(id, 1);
        subject.begun(&world, id);
        // Held still it can be stopped as well.
        world.suspend(id).unwrap();
    } else {
        let refused = world.suspend(id).unwrap_err();
        assert!(
            matches!(refused, belay_core::Error::Refused { .. }),
            "{refused}"
        );
        assert_eq!(world.job(id).state, JobState::Running);
    }
    world.cancel(id, "over");
    let job = world.until(id, JobState::Cancelled);
    assert_eq!((job.attempt, job.fence), (1, 1));
    subject.nothing_left(&world);
    node.drain();
}
