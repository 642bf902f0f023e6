//! Bulk actions beside others that hold and want the same rows.

use belay_core::ops::{self, BulkKind, CancelLimit, Outcome, Standing};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    Bulk, count, counts, enqueue, enqueue_n, fail_all_of_kind, me, new_job, overtaken, pid, run,
    state, stuck, text, until_blocked, went, with_key,
};

const KIND: &str = r#"{"state": ["queued", "running"]}"#;

#[test]
fn a_cancel_that_holds_the_low_jobs_and_wants_the_bulk_job_does_not_deadlock_with_it() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 5);
    let bulk = Bulk::running(conn, BulkKind::Cancel, KIND);
    let own = bulk.attempt.job;
    bulk.begin(conn);

    // The cancel holds the first jobs, waits for the middle one, and will want the bulk job last.
    let mut holder = db.conn();
    run(
        &mut holder,
        &format!(
            "begin; select from belay.job where id = {} for update",
            ids[2]
        ),
    );
    let (mut canceller, mut walker) = (db.conn(), db.conn());
    let (cancelling, walking) = (pid(&mut canceller), pid(&mut walker));
    let mut backwards: Vec<i64> = ids.iter().rev().copied().collect();
    backwards.insert(0, own);
    let (answers, step) = std::thread::scope(|scope| {
        let answers = scope.spawn(move || {
            ops::cancel_many(
                &mut canceller,
                None,
                &backwards,
                &me(),
                None,
                CancelLimit::Any,
            )
        });
        until_blocked(&mut db.conn(), cancelling);
        let bulk = &bulk;
        let step = scope.spawn(move || bulk.step(&mut walker, 100));
        until_blocked(&mut db.conn(), walking);
        run(&mut holder, "commit");
        (answers.join().unwrap().unwrap(), step.join().unwrap())
    });
    // The walk waited without holding its own row, so the cancel had everything, and the walk found itself cancelled.
    assert!(answers.iter().all(|answer| answer.outcome.is_accepted()));
    assert_eq!(step, stuck(Standing::Gone));
    assert_eq!(state(conn, own), JobState::Cancelling);
    assert_eq!(
        text(conn, "select affected_count::text from belay.bulk_action"),
        "0"
    );
}

#[test]
fn two_walks_that_contain_each_other_end_without_a_deadlock() {
    for _ in 0..5 {
        let db = TestDb::new();
        let conn = &mut db.conn();
        let before = enqueue_n(conn, &new_job(), 40);
        let first = Bulk::running(conn, BulkKind::Cancel, KIND);
        let between = enqueue_n(conn, &new_job(), 40);
        let second = Bulk::running(conn, BulkKind::Cancel, KIND);
        let after = enqueue_n(conn, &new_job(), 40);
        let walk = |bulk: &Bulk| {
            let mut conn = db.conn();
            let (standing, _) = bulk.try_begin(&mut conn);
            if standing != Standing::Go {
                return 0;
            }
            let mut affected = 0;
            loop {
                let step = bulk.step(&mut conn, 7);
                if step.standing != Standing::Go {
                    return affected;
                }
                affected = step.affected;
                if step.over {
                    return affected;
                }
            }
        };
        let (a, b) = std::thread::scope(|scope| {
            let a = scope.spawn(|| walk(&first));
            let b = scope.spawn(|| walk(&second));
            (a.join().unwrap(), b.join().unwrap())
        });
        let all = [before, between, after].concat();
        let cancelled = count(
            conn,
            &format!(
                "select count(*) from belay.job_done where state = 'cancelled' and id between {} and {}",
                all[0],
                all[all.len() - 1]
            ),
        );
        let bulks = [&first, &second]
            .iter()
            .filter(|bulk| state(conn, bulk.attempt.job) == JobState::Cancelling)
            .count();
        // Each job and each walk was counted by exactly one of them.
        assert_eq!(a + b, cancelled + bulks as i64);
        assert_eq!(
            count(
                conn,
                "select sum(affected_count)::bigint from belay.bulk_action"
            ),
            count(
                conn,
                "select count(*) from belay.job_event where via = 'bulk-actions' and event in ('cancelled', 'cancel_requested')"
            )
        );
    }
}

#[test]
fn a_cancel_of_the_bulk_job_waits_for_its_step_and_then_holds() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 4);
    let bulk = Bulk::running(conn, BulkKind::Cancel, r#"{"kind": "sleep"}"#);
    let own = bulk.attempt.job;
    bulk.begin(conn);
    run(conn, "begin");
    bulk.step(conn, 2);
    let answer = overtaken(&db, conn, "commit", |conn| {
        ops::cancel_one(conn, None, own, &me(), None, CancelLimit::Any)
    })
    .unwrap();
    assert_eq!(answer.outcome, Outcome::Cancelling);
    assert_eq!(bulk.step(conn, 2), stuck(Standing::Gone));
    assert_eq!(
        counts(
            conn,
            "select id from belay.job where kind = 'sleep' order by id"
        ),
        ids[2..]
    );
}

#[test]
fn a_step_that_waited_for_the_cancel_of_its_own_job_does_nothing() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    enqueue_n(conn, &new_job(), 4);
    for bulk in BulkKind::ALL {
        let bulk = Bulk::running(conn, bulk, r#"{"kind": "sleep"}"#);
        bulk.begin(conn);
        run(conn, "begin");
        ops::cancel_one(conn, None, bulk.attempt.job, &me(), None, CancelLimit::Any).unwrap();
        let step = overtaken(&db, conn, "commit", |conn| bulk.step(conn, 100));
        assert_eq!(step, stuck(Standing::Gone));
        assert_eq!(
            count(conn, "select count(*) from belay.job where kind = 'sleep'"),
            4
        );
    }
}

#[test]
fn a_rescue_leaves_a_job_in_the_middle_of_a_step_alone_and_ends_the_attempt_afterwards() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 10);
    let mut bulk = Bulk::running(conn, BulkKind::Cancel, r#"{"kind": "sleep"}"#);
    bulk.begin(conn);
    run(
        conn,
        &format!(
            "update belay.worker set dead_at = now() where id = {}",
            bulk.attempt.worker
        ),
    );
    let mut rescuer = db.conn();
    run(conn, "begin");
    bulk.step(conn, 4);
    assert_eq!(ops::rescue(&mut rescuer, 10, true).unwrap().total(), 0);
    run(conn, "commit");
    assert_eq!(ops::rescue(&mut rescuer, 10, true).unwrap().queued, 1);
    assert_eq!(bulk.step(conn, 4), stuck(Standing::Gone));

    // The next attempt goes on behind what the first has done.
    let worker = crate::common::register(conn);
    let queue = crate::common::job(conn, bulk.attempt.job).queue;
    let line = crate::common::on_line(&queue, "cancel_jobs", 5);
    let claimed = ops::claim(conn, worker, &[line], 1).unwrap();
    bulk.attempt.worker = worker;
    bulk.attempt.fence = claimed[0].fence;
    let walk = bulk.begin(conn);
    assert_eq!((walk.walk_id, walk.affected), (ids[3], 4));
    assert_eq!(bulk.step(conn, 100), went(10, 10, true));
    assert_eq!(
        count(
            conn,
            "select count(*) from belay.job_event where event = 'cancelled'"
        ),
        10
    );
}

#[test]
fn a_job_that_is_claimed_while_the_step_waits_is_judged_by_what_it_is_then() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 2);
    let bulk = Bulk::running(
        conn,
        BulkKind::Cancel,
        r#"{"state": "queued", "kind": "sleep"}"#,
    );
    bulk.begin(conn);
    let worker = crate::common::register(conn);
    run(conn, "begin");
    assert_eq!(
        crate::common::claim_from(conn, worker, "default", 1)[0].id,
        ids[0]
    );
    let step = overtaken(&db, conn, "commit", |conn| bulk.step(conn, 100));
    assert_eq!(step, went(1, 1, true));
    assert_eq!(state(conn, ids[0]), JobState::Running);
    assert_eq!(state(conn, ids[1]), JobState::Cancelled);
}

#[test]
fn a_lock_that_is_held_too_long_is_busy_and_nothing_was_done() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 3);
    let bulk = Bulk::running(conn, BulkKind::Cancel, r#"{"kind": "sleep"}"#);
    bulk.begin(conn);
    let mut holder = db.conn();
    run(
        &mut holder,
        &format!(
            "begin; select from belay.job where id = {} for update",
            ids[1]
        ),
    );
    run(conn, "set lock_timeout = '20ms'");
    let busy = conn.transaction(|conn| ops::bulk_step(conn, bulk.attempt, &bulk.filter, 100, 100));
    assert!(matches!(busy, Err(Error::Busy(_))), "{busy:?}");
    // What stands before it can go through.
    assert_eq!(bulk.step(conn, 1), went(1, 1, false));
    run(&mut holder, "rollback");
    assert_eq!(bulk.step(conn, 100), went(3, 3, true));
}

#[test]
fn two_walks_that_retry_the_same_keys_in_opposite_order_do_not_deadlock() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    // Two keys, in one order among the jobs of one queue and in the other order among those of another.
    for (queue, keys) in [("one", ["a", "b"]), ("two", ["b", "a"])] {
        for key in keys {
            let mut job = with_key(key);
            job.queue = Some(queue.into());
            enqueue(conn, &job);
        }
        fail_all_of_kind(conn, "sleep");
    }
    for _ in 0..3 {
        let one = Bulk::running(conn, BulkKind::Retry, r#"{"queue": "one"}"#);
        let two = Bulk::running(conn, BulkKind::Retry, r#"{"queue": "two"}"#);
        one.begin(conn);
        two.begin(conn);
        // The first walk has `a` and waits for `b`; the second must not get hold of `b` before it waits for `a`.
        let mut holder = db.conn();
        run(&mut holder, "begin");
        enqueue(&mut holder, &with_key("b"));
        let (mut first, mut second) = (db.conn(), db.conn());
        let waiting = [pid(&mut first), pid(&mut second)];
        let (a, b) = std::thread::scope(|scope| {
            let (one, two) = (&one, &two);
            let a = scope.spawn(move || one.step(&mut first, 10));
            until_blocked(&mut db.conn(), waiting[0]);
            let b = scope.spawn(move || two.step(&mut second, 10));
            until_blocked(&mut db.conn(), waiting[1]);
            run(&mut holder, "rollback");
            (a.join().unwrap(), b.join().unwrap())
        });
        assert_eq!((a, b), (went(2, 2, true), went(0, 2, true)));
        run(conn, "delete from belay.job where unique_key in ('a', 'b')");
    }
}
