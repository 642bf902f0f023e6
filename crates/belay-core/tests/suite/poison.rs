//! Poison: a job whose worker was lost three times while it ran is not run again.

use belay_core::JobState;
use belay_core::ops::{self, POISON_AFTER};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    claim_one, enqueue, events, job, let_lease_run_out, me, new_with, register, run, state,
};

/// Claims the job and lets its worker be lost.
#[track_caller]
fn lose(conn: &mut PgConnection, id: i64) {
    let worker = register(conn);
    assert_eq!(claim_one(conn, worker).id, id);
    lose_worker(conn, worker);
}

#[track_caller]
fn lose_worker(conn: &mut PgConnection, worker: i64) {
    let_lease_run_out(conn, worker);
    assert_eq!(ops::mark_dead(conn).unwrap(), [worker]);
    let rescued = conn
        .transaction(|conn| ops::rescue(conn, 100, true))
        .unwrap();
    assert_eq!(rescued.total(), 1);
}

#[test]
fn the_third_lost_lease_quarantines_the_job() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = enqueue(conn, &new_with(|job| job.max_attempts = Some(100)));
    for _ in 1..POISON_AFTER {
        lose(conn, id);
        assert_eq!(state(conn, id), JobState::Queued);
    }
    lose(conn, id);
    let ended = job(conn, id);
    assert_eq!((ended.state, ended.attempt), (JobState::Failed, 3));
    assert_eq!(
        ended.last_error.as_deref(),
        Some("quarantined: the worker's lease ran out, 3 times while it ran")
    );
    assert_eq!(
        events(conn, id).last().unwrap(),
        r#"quarantined running>failed rescue daemon - {"cause": "poison", "leases_lost": 3}"#
    );
    // Whoever has mended what killed its workers may retry it, and it begins anew.
    let retried = ops::retry(conn, None, id, &me(), None).unwrap();
    lose(conn, retried);
    assert_eq!(state(conn, retried), JobState::Queued);
}

#[test]
fn failures_and_stops_are_no_lost_leases() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = enqueue(conn, &new_with(|job| job.max_attempts = Some(100)));
    lose(conn, id);
    for _ in 0..POISON_AFTER {
        let worker = register(conn);
        let claimed = claim_one(conn, worker);
        let report = ops::Report {
            id,
            fence: claimed.fence,
            verdict: crate::common::fail("no", 0.0),
        };
        ops::settle(conn, worker, &[report]).unwrap();
        run(conn, "select pg_sleep(0.002)");
        ops::promote(conn, 10).unwrap();
    }
    lose(conn, id);
    assert_eq!(state(conn, id), JobState::Queued);
}

#[test]
fn a_job_that_was_held_still_did_not_kill_its_worker() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = enqueue(conn, &new_with(|_| ()));
    for _ in 0..=POISON_AFTER {
        let worker = register(conn);
        assert_eq!(claim_one(conn, worker).id, id);
        ops::suspend(conn, None, id, &me(), None).unwrap();
        lose_worker(conn, worker);
        assert_eq!(state(conn, id), JobState::Queued);
    }
}

#[test]
fn a_cancel_wins_over_the_quarantine() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = enqueue(conn, &new_with(|_| ()));
    for _ in 1..POISON_AFTER {
        lose(conn, id);
    }
    let worker = register(conn);
    assert_eq!(claim_one(conn, worker).id, id);
    ops::cancel_one(conn, None, id, &me(), None, ops::CancelLimit::Any).unwrap();
    lose_worker(conn, worker);
    assert_eq!(state(conn, id), JobState::Cancelled);
}
