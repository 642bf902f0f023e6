//! Claim: which jobs a worker gets, in which order, and what it is told of them.

use belay_core::JobState;
use belay_core::ops::{self, LineFloor, NewJob};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    Made, claim, claim_from, claim_one, enqueue, enqueue_n, fail, job, let_lease_run_out, new_job,
    new_with, on_line, register, report, run, snooze, state,
};

fn in_line(queue: &str, priority: i16) -> NewJob {
    NewJob {
        queue: Some(queue.into()),
        priority: Some(priority),
        ..new_job()
    }
}

fn ids(claimed: &[ops::Claimed]) -> Vec<i64> {
    claimed.iter().map(|claimed| claimed.id).collect()
}

#[test]
fn a_claim_says_everything_that_is_needed_to_run_the_job() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let new = NewJob {
        payload: "[1, {\"a\": \"é\"}]".into(),
        queue: Some("q".into()),
        priority: Some(2),
        max_attempts: Some(4),
        timeout_s: Some(60),
        ..new_job()
    };
    let id = enqueue(conn, &new);
    let claimed = claim_one(conn, worker);
    let stored = job(conn, id);
    assert_eq!(claimed.id, id);
    assert_eq!(
        (claimed.attempt, claimed.max_attempts, claimed.fence),
        (1, 4, 1)
    );
    assert_eq!(claimed.line, on_line("q", "sleep", 2).line);
    assert_eq!((claimed.tenant, claimed.timeout_s), (1, Some(60)));
    assert_eq!(claimed.created_at, stored.created_at);
    assert_eq!(claimed.payload, stored.payload);
    assert_eq!(claimed.ticket, ops::last_ticket(conn).unwrap());
    assert!((0.0..60.0).contains(&claimed.waited));
    assert_eq!(
        (stored.state, stored.worker),
        (JobState::Running, Some(worker))
    );
    assert!(stored.started_at.is_some() && stored.started_at == stored.claimed_at);
}

#[test]
fn what_is_more_urgent_goes_first_and_then_what_came_first() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let [late, first, middle, second] =
        [("a", 9), ("b", 0), ("a", 5), ("b", 0)].map(|(q, p)| enqueue(conn, &in_line(q, p)));
    assert_eq!(ids(&claim(conn, worker, 1)), [first]);
    assert_eq!(ids(&claim(conn, worker, 10)), [second, middle, late]);
}

#[test]
fn the_lines_are_walked_in_the_order_given_and_the_batch_is_the_limit() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let a = enqueue_n(conn, &in_line("a", 5), 3);
    let b = enqueue_n(conn, &in_line("b", 5), 3);
    let lines = [on_line("b", "sleep", 5), on_line("a", "sleep", 5)];
    let claimed = ops::claim(conn, worker, &lines, 4).unwrap();
    assert_eq!(
        ids(&claimed),
        [a[0], b[0], b[1], b[2]],
        "answered by ticket"
    );
    assert_eq!(ids(&ops::claim(conn, worker, &lines, 10).unwrap()), a[1..]);
    assert_eq!(ops::claim(conn, worker, &lines, 10).unwrap(), []);
}

#[test]
fn only_the_lines_that_are_named_are_looked_at() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    enqueue(conn, &in_line("a", 5));
    enqueue(conn, &new_with(|job| job.kind = "noop".into()));
    for line in [
        on_line("a", "noop", 5),
        on_line("a", "sleep", 4),
        on_line("default", "sleep", 5),
        on_line("nowhere", "sleep", 5),
    ] {
        assert_eq!(ops::claim(conn, worker, &[line], 10).unwrap(), []);
    }
    assert_eq!(ops::claim(conn, worker, &[], 10).unwrap(), []);
    for batch in [0, -1] {
        let all = [on_line("a", "sleep", 5)];
        assert_eq!(ops::claim(conn, worker, &all, batch).unwrap(), []);
    }
    assert_eq!(claim(conn, worker, 10).len(), 2);
}

#[test]
fn nothing_left_of_the_floor_is_taken() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    assert_eq!(ops::last_ticket(conn).unwrap(), 0);
    let made = enqueue_n(conn, &in_line("a", 5), 4);
    assert_eq!(ops::last_ticket(conn).unwrap(), 4);
    let from = |floor| {
        [LineFloor {
            floor,
            ..on_line("a", "sleep", 5)
        }]
    };
    let work =
        |conn: &mut PgConnection, floor| ops::lines_with_work(conn, &from(floor)).unwrap().len();
    assert_eq!((work(conn, 4), work(conn, 5)), (1, 0));
    assert_eq!(ops::claim(conn, worker, &from(5), 10).unwrap(), []);
    assert_eq!(
        ids(&ops::claim(conn, worker, &from(3), 1).unwrap()),
        [made[2]]
    );
    assert_eq!(
        ids(&ops::claim(conn, worker, &from(3), 9).unwrap()),
        [made[3]]
    );
    assert_eq!((work(conn, 0), work(conn, 3)), (1, 0));
    assert_eq!(
        ids(&ops::claim(conn, worker, &from(0), 9).unwrap()),
        made[..2]
    );
}

#[test]
fn a_job_that_comes_back_stands_at_the_end_of_its_line() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let [first, second] = [(); 2].map(|()| enqueue(conn, &in_line("a", 5)));
    let claimed = claim_one(conn, worker);
    let held = Made {
        id: first,
        worker,
        fence: claimed.fence,
    };
    report(conn, held, fail("again", 0.0));
    assert_eq!(ops::promote(conn, 10).unwrap(), 1);
    let again = claim(conn, worker, 10);
    assert_eq!(ids(&again), [second, first]);
    assert!(again[1].ticket > claimed.ticket);
    assert_eq!((again[1].attempt, again[1].fence), (2, 2));
}

#[test]
fn the_first_start_stays_whatever_happens_afterwards() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let id = enqueue(conn, &in_line("a", 5));
    let mut fence = claim_one(conn, worker).fence;
    let first = job(conn, id).started_at;
    assert!(first.is_some());
    for verdict in [fail("no", 0.0), snooze(0.0)] {
        report(conn, Made { id, worker, fence }, verdict);
        assert_eq!(job(conn, id).started_at, first, "while it waits");
        ops::promote(conn, 10).unwrap();
        fence = claim_one(conn, worker).fence;
        let now = job(conn, id);
        assert_eq!(now.started_at, first);
        assert!(now.claimed_at > first);
    }
    ops::stop(conn, worker).unwrap();
    conn.transaction(|conn| ops::rescue(conn, 10, true))
        .unwrap();
    assert_eq!(job(conn, id).started_at, first, "after a rescue");
    let next = register(conn);
    let fence = claim_one(conn, next).fence;
    ops::complete(conn, next, &[(id, fence)]).unwrap();
    assert_eq!(job(conn, id).started_at, first, "when finished");
}

#[test]
fn a_worker_that_is_dead_or_unknown_gets_nothing() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = enqueue(conn, &in_line("a", 5));
    let stopped = register(conn);
    ops::stop(conn, stopped).unwrap();
    let silent = register(conn);
    let_lease_run_out(conn, silent);
    assert_eq!(ops::mark_dead(conn).unwrap(), [silent]);
    for worker in [stopped, silent, 999] {
        assert_eq!(claim_from(conn, worker, "a", 10), []);
    }
    assert_eq!(state(conn, id), JobState::Queued);
    let alive = register(conn);
    assert_eq!(ids(&claim_from(conn, alive, "a", 10)), [id]);
}

#[test]
fn two_claims_at_once_share_the_line_without_waiting() {
    let db = TestDb::new();
    let (mut one, mut two) = (db.conn(), db.conn());
    let made = enqueue_n(&mut one, &in_line("a", 5), 5);
    let (first, second) = (register(&mut one), register(&mut one));
    run(&mut one, "begin");
    assert_eq!(ids(&claim_from(&mut one, first, "a", 2)), made[..2]);
    // Takes what the open claim has not locked, and the open claim has locked no more than it took.
    run(&mut two, "set lock_timeout = '2s'");
    assert_eq!(ids(&claim_from(&mut two, second, "a", 9)), made[2..]);
    run(&mut one, "rollback");
    assert_eq!(ids(&claim_from(&mut two, second, "a", 9)), made[..2]);
}

/// What commits late stands left of the floor, where claims do not look, until the sweep has found it.
#[test]
fn a_late_commit_is_found_by_the_sweep() {
    let db = TestDb::new();
    let (mut late, mut conn) = (db.conn(), db.conn());
    let conn = &mut conn;
    let worker = register(conn);
    enqueue(conn, &in_line("a", 5));
    run(&mut late, "begin");
    let id = enqueue(&mut late, &in_line("a", 5));
    enqueue(conn, &in_line("a", 5));
    let front = claim_from(conn, worker, "a", 9).pop().unwrap().ticket;
    let mark = ops::sweep_mark(conn).unwrap();
    assert!(mark.oldest_xid < mark.next_xid && mark.last_ticket == front);
    run(&mut late, "commit");
    let line = on_line("a", "sleep", 5).line;
    let right = [LineFloor {
        line: line.clone(),
        floor: front + 1,
    }];
    assert_eq!(ops::claim(conn, worker, &right, 9).unwrap(), []);
    let range = ops::SweepRange {
        line: line.clone(),
        low: 0,
        floor: front + 1,
        front: front + 1000,
    };
    assert_eq!(
        ops::sweep(conn, std::slice::from_ref(&range)).unwrap(),
        [line]
    );
    assert_eq!(ids(&ops::claim(conn, worker, &right, 9).unwrap()), [id]);
    assert_eq!(ops::sweep(conn, &[range]).unwrap(), []);
    assert!(ops::sweep_mark(conn).unwrap().oldest_xid >= mark.oldest_xid);
}
