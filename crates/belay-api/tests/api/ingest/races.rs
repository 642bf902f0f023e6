//! Uploads against aborts and closes.

use std::sync::Barrier;
use std::thread;

use super::JOBS;
use crate::support::World;

const THREADS: usize = 20;
const ROUNDS: usize = 6;

/// Threads upload while another one wishes something; answers the statuses of the uploads.
fn race(world: &World, id: &str, wish: &str) -> Vec<u16> {
    let start = Barrier::new(THREADS + 1);
    let file = vec![b'x'; 1_300_000];
    thread::scope(|scope| {
        let uploads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    world.upload(id, &file).status
                })
            })
            .collect();
        start.wait();
        assert_eq!(world.wish(id, wish).status, 200);
        uploads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

#[test]
fn an_upload_that_races_an_abort_leaves_nothing() {
    let world = World::new();
    for _ in 0..ROUNDS {
        let id = world.ingest();
        let statuses = race(&world, &id, "Aborted");
        assert!(
            statuses.iter().all(|status| matches!(status, 202 | 409)),
            "{statuses:?}"
        );
        assert_eq!(world.stored(), (0, 0, 0), "{statuses:?}");
        assert_eq!(world.word(&id), "Aborted");
    }
}

#[test]
fn an_upload_that_races_a_close_is_either_whole_or_not_there() {
    let world = World::new();
    for _ in 0..ROUNDS {
        let id = world.ingest();
        let statuses = race(&world, &id, "UploadComplete");
        assert!(
            statuses.iter().all(|status| matches!(status, 202 | 409)),
            "{statuses:?}"
        );
        let whole = statuses.iter().filter(|status| **status == 202).count() as i64;
        let (_, files, under_way) = world.stored();
        assert_eq!((files, under_way), (whole, 0), "{statuses:?}");
        let bytes = world
            .number("select coalesce(sum(length(content)), 0)::bigint as n from belay.job_upload");
        assert_eq!(bytes, whole * 1_300_000);
        let gone = world.send("DELETE", &format!("{JOBS}/{id}"), &serde_json::Value::Null);
        assert_eq!(gone.status, 204);
        assert_eq!(world.stored(), (0, 0, 0));
    }
}
