//! Work that writes more, or other, than can be kept.

use belay_core::JobState;

use crate::subject::{Node, Subject, Work};
use crate::world::World;

/// What [`Work::Floods`] writes in all.
const FLOOD: i64 = 1_000_000 + 7;

pub(crate) fn output_overflow<S: Subject>() {
    let world = World::new();
    let subject = S::new(&world);
    let node = subject.start(&world, Node::steady("node"));
    let id = world.enqueue(&Work::Floods.job());
    world.until(id, JobState::Completed);
    let output = world.output(id).unwrap();
    assert_eq!(output.stdout.len(), S::SHOWN.limit);
    if S::SHOWN.tail {
        assert_eq!(output.stdout_bytes, FLOOD);
        assert!(output.stdout.ends_with("xxthe end"));
    } else {
        assert!(output.stdout.bytes().all(|byte| byte == b'x'));
    }
    node.drain();
}

pub(crate) fn invalid_output<S: Subject>() {
    let world = World::new();
    let subject = S::new(&world);
    let node = subject.start(&world, Node::steady("node"));
    let id = world.enqueue(&Work::Garbles.job());
    world.until(id, JobState::Completed);
    let output = world.output(id).unwrap();
    assert_eq!(output.stdout, "a\u{fffd}\u{fffd}b");
    node.drain();
}
