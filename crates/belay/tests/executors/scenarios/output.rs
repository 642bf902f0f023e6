//! Work that writes more, or other, than can be kept.

use belay_core::JobState;

use crate::subject::{Node, Shown, Subject, Work};
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
    match S::SHOWN {
        Shown::Tail { limit, counted } => {
            assert_eq!(output.stdout.len(), limit);
            assert!(
                !counted || output.stdout_bytes == FLOOD,
                "{}",
                output.stdout_bytes
            );
            assert!(output.stdout.ends_with("xxthe end"));
        }
        Shown::Head(limit) => {
            assert_eq!(output.stdout.len(), limit);
            assert!(output.stdout.bytes().all(|byte| byte == b'x'));
        }
        Shown::Nothing => assert!(output.stdout.len() < 100, "{}", output.stdout),
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
    match S::SHOWN {
        Shown::Tail { .. } | Shown::Head(_) => assert_eq!(output.stdout, "a\u{fffd}\u{fffd}b"),
        Shown::Nothing => assert!(output.stdout.is_ascii(), "{}", output.stdout),
    }
    node.drain();
}
