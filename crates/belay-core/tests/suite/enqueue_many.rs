//! Enqueue of many at once: in order, all or none, with keys.

use belay_core::ops::{self, Enqueued, MAX_ENQUEUE, NewJob};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    TENANT, claim, count, counts, enqueue, enqueue_n, in_an_hour, job, me, new_job, new_with, pid,
    register, run, state, text, until_blocked, with_key,
};

fn numbered(n: usize) -> NewJob {
    new_with(|job| job.payload = n.to_string())
}

#[track_caller]
fn ask(conn: &mut PgConnection, jobs: &[NewJob]) -> Vec<Enqueued> {
    ops::enqueue_many(conn, TENANT, jobs, &me()).unwrap()
}

#[test]
fn answers_and_tickets_are_in_request_order() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let jobs: Vec<NewJob> = (0..300).map(numbered).collect();
    let made = ask(conn, &jobs);
    assert_eq!(made.len(), 300);
    assert!(made.windows(2).all(|pair| pair[0].id < pair[1].id));
    assert!(made.iter().all(|made| !made.existed));
    for (n, made) in made.iter().enumerate().step_by(37) {
        assert_eq!(job(conn, made.id).payload, n.to_string());
    }
    let worker = register(conn);
    let claimed: Vec<String> = claim(conn, worker, 300)
        .into_iter()
        .map(|claimed| claimed.payload)
        .collect();
    let expected: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    assert_eq!(claimed, expected);
}

/// Keys are inserted in sorted order, so that two batches cannot deadlock; that must not decide who runs first.
#[test]
fn tickets_are_in_request_order_also_with_unique_keys() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let jobs: Vec<NewJob> = ["z", "m", "a"].map(with_key).to_vec();
    let ids: Vec<i64> = ask(conn, &jobs).iter().map(|made| made.id).collect();
    let worker = register(conn);
    let claimed: Vec<i64> = claim(conn, worker, 10).iter().map(|c| c.id).collect();
    assert_eq!(claimed, ids);
}

#[test]
fn each_job_of_a_batch_has_its_own_values_and_defaults() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = ask(
        conn,
        &[
            new_job(),
            NewJob {
                run_at: in_an_hour(),
                priority: Some(0),
                queue: Some("other".into()),
                max_attempts: Some(7),
                timeout_s: Some(3),
                payload: "[true]".into(),
                ..NewJob::new("noop")
            },
        ],
    );
    let (plain, full) = (job(conn, made[0].id), job(conn, made[1].id));
    assert_eq!(
        (
            plain.kind.as_str(),
            plain.queue.as_str(),
            plain.priority,
            plain.max_attempts,
            plain.timeout_s,
            plain.state
        ),
        ("sleep", "default", 5, 5, None, JobState::Queued)
    );
    assert_eq!(
        (
            full.kind.as_str(),
            full.queue.as_str(),
            full.priority,
            full.max_attempts,
            full.timeout_s,
            full.state
        ),
        ("noop", "other", 0, 7, Some(3), JobState::Scheduled)
    );
    assert_eq!(full.payload, "[true]");
    assert_eq!(
        (full.created_by.as_str(), full.created_via.as_str()),
        ("tester", "native")
    );
}

#[test]
fn keys_that_are_held_and_keys_that_repeat_are_answered_with_their_job() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let held = enqueue(conn, &with_key("held"));
    let made = ask(
        conn,
        &[
            with_key("twice"),
            new_job(),
            with_key("held"),
            with_key("once"),
            with_key("twice"),
            new_job(),
            with_key("twice"),
        ],
    );
    let existed: Vec<bool> = made.iter().map(|made| made.existed).collect();
    assert_eq!(existed, [false, false, true, false, true, false, true]);
    assert_eq!(made[2].id, held);
    assert_eq!((made[4].id, made[6].id), (made[0].id, made[0].id));
    let mut different: Vec<i64> = [0, 1, 2, 3, 5].map(|i: usize| made[i].id).to_vec();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 5);
    assert_eq!(
        counts(conn, "select id from belay.job order by id"),
        different
    );
}

#[test]
fn the_first_of_equal_keys_is_the_one_that_is_made() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let jobs: Vec<NewJob> = (0..3)
        .map(|n| NewJob {
            unique_key: Some("k".into()),
            ..numbered(n)
        })
        .collect();
    let made = ask(conn, &jobs);
    assert_eq!(job(conn, made[0].id).payload, "0");
    assert_eq!(
        made[1],
        Enqueued {
            id: made[0].id,
            existed: true
        }
    );
}

#[test]
fn ten_thousand_are_made_in_one_call_and_one_more_is_refused() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), MAX_ENQUEUE);
    assert_eq!(ids.len(), 10_000);
    assert_eq!(count(conn, "select count(*) from belay.job"), 10_000);
    let many = vec![new_job(); MAX_ENQUEUE + 1];
    let refused = ops::enqueue_many(conn, TENANT, &many, &me());
    assert!(
        matches!(&refused, Err(Error::Invalid { field: "jobs", message }) if message.starts_with("10001 jobs")),
        "{refused:?}"
    );
    assert_eq!(count(conn, "select count(*) from belay.job"), 10_000);
    assert_eq!(ask(conn, &[]), []);
}

#[test]
fn one_wrong_job_and_none_is_made() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let wrong = [
        ("kind", NewJob::new("unheard-of")),
        ("queue", new_with(|job| job.queue = Some("a b".into()))),
        ("priority", new_with(|job| job.priority = Some(10))),
        ("max_attempts", new_with(|job| job.max_attempts = Some(0))),
        (
            "payload",
            NewJob {
                payload: "{".into(),
                ..new_job()
            },
        ),
        ("unique_key", with_key("")),
        ("unique_key", with_key(&"k".repeat(256))),
        ("unique_key", with_key(&"k".repeat(9000))),
    ];
    for (wanted, job) in wrong {
        let jobs = [new_job(), job, new_job()];
        let answer = ops::enqueue_many(conn, TENANT, &jobs, &me());
        assert!(
            matches!(&answer, Err(Error::Invalid { field, .. }) if *field == wanted),
            "{wanted} {:?} was answered by {answer:?}",
            jobs[1].unique_key.as_ref().map(String::len)
        );
        assert_eq!(count(conn, "select count(*) from belay.job"), 0, "{wanted}");
    }
    let answer = ops::enqueue_many(conn, 99, &[new_job()], &me());
    assert!(
        matches!(
            answer,
            Err(Error::Invalid {
                field: "tenant",
                ..
            })
        ),
        "{answer:?}"
    );
}

#[test]
fn the_refusal_says_which_job_is_wrong() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let jobs = [new_job(), new_with(|job| job.timeout_s = Some(-1))];
    let Err(Error::Invalid { message, .. }) = ops::enqueue_many(conn, TENANT, &jobs, &me()) else {
        panic!("accepted");
    };
    assert!(message.starts_with("jobs[1]: timeout_s is -1"), "{message}");
}

#[test]
fn a_batch_waits_for_the_holder_of_a_key_that_is_not_committed_yet() {
    let db = TestDb::new();
    let (mut first, mut second, mut watcher) = (db.conn(), db.conn(), db.conn());
    run(&mut first, "begin");
    let holder = enqueue(&mut first, &with_key("k"));
    let waiting = pid(&mut second);
    let made = std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&mut second, &[new_job(), with_key("k")]));
        until_blocked(&mut watcher, waiting);
        run(&mut first, "commit");
        asked.join().unwrap()
    });
    assert_eq!(
        made[1],
        Enqueued {
            id: holder,
            existed: true
        }
    );
    assert!(!made[0].existed);
}

/// Two batches with the same keys in opposite order: both end, and each key has one job.
#[test]
fn batches_with_the_same_keys_in_opposite_order_do_not_deadlock() {
    let db = TestDb::new();
    let keys: Vec<NewJob> = (0..200).map(|n| with_key(&format!("k{n}"))).collect();
    let reversed: Vec<NewJob> = keys.iter().rev().cloned().collect();
    let barrier = std::sync::Barrier::new(2);
    for round in 0..10 {
        let made = std::thread::scope(|scope| {
            let asks = [&keys, &reversed].map(|jobs| {
                let (mut conn, barrier) = (db.conn(), &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    ask(&mut conn, jobs)
                })
            });
            asks.map(|ask| ask.join().unwrap())
        });
        let new = made.iter().flatten().filter(|made| !made.existed).count();
        assert_eq!(new, 200, "round {round}");
        let [forth, back] = &made;
        assert!(
            forth
                .iter()
                .zip(back.iter().rev())
                .all(|(a, b)| a.id == b.id)
        );
        run(&mut db.conn(), "delete from belay.job");
    }
}

#[test]
fn two_first_jobs_of_one_new_line_meet_without_harm() {
    let db = TestDb::new();
    let (mut first, mut second, mut watcher) = (db.conn(), db.conn(), db.conn());
    let new_line = new_with(|job| job.queue = Some("fresh".into()));
    for end in ["rollback", "commit"] {
        run(&mut first, "begin");
        enqueue(&mut first, &new_line);
        let waiting = pid(&mut second);
        let id = std::thread::scope(|scope| {
            let asked = scope.spawn(|| enqueue(&mut second, &new_line));
            until_blocked(&mut watcher, waiting);
            run(&mut first, end);
            asked.join().unwrap()
        });
        assert_eq!(state(&mut watcher, id), JobState::Queued);
        assert_eq!(
            text(
                &mut watcher,
                "select string_agg(queue, ',') from belay.line"
            ),
            "fresh"
        );
        run(
            &mut watcher,
            "delete from belay.job; delete from belay.line; delete from belay.queue where name = 'fresh'",
        );
    }
}
