//! Cancel by filter: a walk in chunks that can stop and go on anywhere, over the jobs that were there at its start.

use belay_core::ops::{self, CancelFilter, Chunk, NewJob};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    TENANT, claim_from, counts, enqueue, enqueue_n, events, in_an_hour, make, me, new_job,
    new_with, register, run, state,
};

const WAITING: &str = "select id from belay.job where cancel_at is null order by id";

#[track_caller]
fn chunk(
    conn: &mut PgConnection,
    filter: &CancelFilter,
    after: i64,
    last: i64,
    size: i32,
) -> Chunk {
    ops::cancel_chunk(
        conn,
        TENANT,
        filter,
        after,
        last,
        size,
        &me(),
        Some("by filter"),
    )
    .unwrap()
}

/// Walks to the end and answers the chunks.
#[track_caller]
fn walk(conn: &mut PgConnection, filter: &CancelFilter, size: i32) -> Vec<Chunk> {
    let last = ops::last_job_id(conn).unwrap();
    let mut chunks = vec![chunk(conn, filter, 0, last, size)];
    while chunks[chunks.len() - 1].seen == size {
        let after = chunks[chunks.len() - 1].after;
        chunks.push(chunk(conn, filter, after, last, size));
    }
    chunks
}

fn accepted(chunks: &[Chunk]) -> i32 {
    chunks.iter().map(|chunk| chunk.accepted).sum()
}

#[test]
fn a_walk_reaches_every_job_once_and_ends_at_the_last() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    assert_eq!(ops::last_job_id(conn).unwrap(), 0);
    assert_eq!(
        walk(conn, &CancelFilter::default(), 10),
        [Chunk {
            seen: 0,
            after: 0,
            accepted: 0
        }]
    );
    let ids = enqueue_n(conn, &new_job(), 25);
    let chunks = walk(conn, &CancelFilter::default(), 10);
    assert_eq!(
        chunks,
        [
            Chunk {
                seen: 10,
                after: ids[9],
                accepted: 10
            },
            Chunk {
                seen: 10,
                after: ids[19],
                accepted: 10
            },
            Chunk {
                seen: 5,
                after: ids[24],
                accepted: 5
            },
        ]
    );
    for id in ids {
        assert_eq!(
            events(conn, id),
            ["cancelled queued>cancelled tester native by filter -"]
        );
    }
}

#[test]
fn a_walk_goes_on_where_it_was_interrupted() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 9);
    let last = ops::last_job_id(conn).unwrap();
    let all = CancelFilter::default();
    let first = chunk(conn, &all, 0, last, 4);
    // The answer was lost, so the same chunk is asked for again: it finds only what is left and does nothing twice.
    let again = chunk(conn, &all, 0, last, 4);
    assert_eq!((first.after, again.after), (ids[3], ids[7]));
    assert_eq!((first.accepted, again.accepted), (4, 4));
    let end = chunk(conn, &all, again.after, last, 4);
    assert_eq!((end.seen, end.accepted), (1, 1));
    assert!(counts(conn, WAITING).is_empty());
    assert!(ids.into_iter().all(|id| events(conn, id).len() == 1));
}

#[test]
fn jobs_enqueued_after_the_start_are_left_alone() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    enqueue_n(conn, &new_job(), 3);
    let last = ops::last_job_id(conn).unwrap();
    let late = enqueue_n(conn, &new_job(), 3);
    let done = chunk(conn, &CancelFilter::default(), 0, last, 100);
    assert_eq!(
        done,
        Chunk {
            seen: 3,
            after: last,
            accepted: 3
        }
    );
    assert_eq!(counts(conn, WAITING), late);
}

#[test]
fn running_jobs_are_told_to_stop_and_what_is_stopping_or_finished_is_not_counted() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = JobState::ALL.map(|state| (state, make(conn, state).id));
    let chunks = walk(conn, &CancelFilter::default(), 100);
    assert_eq!(chunks[0].seen, 6, "finished jobs are not walked over");
    assert_eq!(chunks[0].accepted, 5, "one was being cancelled already");
    for (was, id) in made {
        let expected = match was {
            JobState::Open | JobState::Scheduled | JobState::Queued => JobState::Cancelled,
            JobState::Running | JobState::Suspended => JobState::Cancelling,
            other => other,
        };
        assert_eq!(state(conn, id), expected, "{was}");
    }
}

#[test]
fn the_filter_is_by_queue_kind_and_state_together() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let of = |queue: &str, kind: &str| NewJob {
        queue: Some(queue.into()),
        ..NewJob::new(kind)
    };
    let here = enqueue(conn, &of("a", "sleep"));
    let claimed = claim_from(conn, worker, "a", 1)[0].id;
    assert_eq!(claimed, here);
    let waiting = enqueue(conn, &of("a", "sleep"));
    let later = enqueue(
        conn,
        &NewJob {
            run_at: in_an_hour(),
            ..of("a", "sleep")
        },
    );
    let other_kind = enqueue(conn, &of("a", "noop"));
    let other_queue = enqueue(conn, &of("b", "sleep"));
    let filter = |queue: Option<&str>, kind: Option<&str>, state| CancelFilter {
        queue: queue.map(Into::into),
        kind: kind.map(Into::into),
        state,
    };
    let everything = [here, waiting, later, other_kind, other_queue];
    for (filter, expected) in [
        (
            filter(Some("a"), Some("sleep"), Some(JobState::Queued)),
            vec![waiting],
        ),
        (
            filter(Some("a"), Some("sleep"), Some(JobState::Running)),
            vec![here],
        ),
        (
            filter(Some("a"), None, Some(JobState::Queued)),
            vec![waiting, other_kind],
        ),
        (filter(None, Some("noop"), None), vec![other_kind]),
        (filter(Some("b"), None, None), vec![other_queue]),
        (filter(None, None, Some(JobState::Scheduled)), vec![later]),
        (filter(Some("c"), None, None), vec![]),
        (filter(None, None, Some(JobState::Completed)), vec![]),
        (filter(None, None, None), everything.to_vec()),
    ] {
        run(conn, "begin");
        let chunks = walk(conn, &filter, 2);
        let left: Vec<i64> = everything
            .iter()
            .copied()
            .filter(|id| !expected.contains(id))
            .collect();
        assert_eq!(counts(conn, WAITING), left, "{filter:?}");
        assert_eq!(
            accepted(&chunks),
            i32::try_from(expected.len()).unwrap(),
            "{filter:?}"
        );
        run(conn, "rollback");
    }
}

#[test]
fn another_tenants_jobs_are_not_walked_over() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (other, _) = ops::create_tenant(conn, "other").unwrap();
    let theirs = ops::enqueue(conn, other, &new_job(), None, false, &me())
        .unwrap()
        .id;
    enqueue(conn, &new_with(|job| job.priority = Some(1)));
    assert_eq!(accepted(&walk(conn, &CancelFilter::default(), 10)), 1);
    assert_eq!(counts(conn, WAITING), [theirs]);
}

#[test]
fn a_reason_that_cannot_be_kept_is_refused() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    enqueue(conn, &new_job());
    let long = "r".repeat(1001);
    let refused = ops::cancel_chunk(
        conn,
        TENANT,
        &CancelFilter::default(),
        0,
        9,
        9,
        &me(),
        Some(&long),
    );
    assert!(
        matches!(
            refused,
            Err(Error::Invalid {
                field: "reason",
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(counts(conn, WAITING).len(), 1);
}
