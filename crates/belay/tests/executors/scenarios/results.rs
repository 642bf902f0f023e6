//! Work that ends by itself, or takes too long.

use belay_core::JobState;
use belay_core::ops::NewJob;

use crate::subject::{Node, Subject, Work};
use crate::world::World;

pub(crate) fn success<S: Subject>() {
    let world = World::new();
    let subject = S::new(&world);
    let node = subject.start(&world, Node::steady("node"));
    let id = world.enqueue(&Work::Succeeds.job());
    let job = world.until(id, JobState::Completed);
    assert_eq!((job.attempt, job.fence), (1, 1));
    assert_eq!(job.worker, Some(node.worker));
    assert!(job.cancel().is_none());
    assert_eq!(world.events(id), ["created", "claimed", "completed"]);
    subject.nothing_left(&world);
    node.drain();
}

pub(crate) fn failure<S: Subject>() {
    let world = World::new();
    let subject = S::new(&world);
    let node = subject.start(&world, Node::steady("node"));
    let id = world.enqueue(&Work::Fails.job());
    let job = world.until(id, JobState::Failed);
    assert_eq!((job.attempt, job.fence), (2, 2));
    let error = job.last_error.unwrap();
    assert!(error.contains("no luck"), "{error}");
    assert_eq!(
        world.events(id),
        ["created", "claimed", "attempt_failed", "claimed", "failed"]
    );
    subject.nothing_left(&world);
    node.drain();
}

pub(crate) fn timeout<S: Subject>() {
    let world = World::new();
    let subject = S::new(&world);
    let node = subject.start(&world, Node::steady("node"));
    let id = world.enqueue(&NewJob {
        timeout_s: Some(1),
        ..Work::Waits.job()
    });
    let job = world.until(id, JobState::Failed);
    assert_eq!(job.attempt, 2, "a timeout is retried");
    let error = job.last_error.unwrap();
    assert!(error.starts_with(S::TIMED_OUT), "{error}");
    let on_record = world.number(&format!(
        "select count(*) from belay.job_event where job = {id} and detail->>'cause' = 'timed_out'
           and detail->>'rung' = '{}'",
        S::STOPPED
    ));
    assert_eq!(on_record, 2, "{:?}", world.events(id));
    subject.nothing_left(&world);
    node.drain();
}
