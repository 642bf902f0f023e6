//! Rescue: what becomes of the jobs of a worker that fell silent, and of the worker.

use std::time::Duration;

use belay_core::JobState;
use belay_core::ops::{self, Beat, NewJob, Rescued};
use belay_core::query;
use belay_testkit::TestDb;
use chrono::Utc;
use diesel::prelude::*;

use crate::common::{
    Made, claim, claim_one, count, enqueue, enqueue_n, events, facts, held, job, let_lease_run_out,
    make, make_from, me, new_job, new_with, register, run, state,
};

#[track_caller]
fn rescue(conn: &mut PgConnection, limit: i32, whole_line: bool) -> Rescued {
    conn.transaction(|conn| ops::rescue(conn, limit, whole_line))
        .unwrap()
}

/// Declares the worker dead and rescues its jobs.
#[track_caller]
fn lose(conn: &mut PgConnection, worker: i64) -> Rescued {
    let_lease_run_out(conn, worker);
    assert_eq!(ops::mark_dead(conn).unwrap(), [worker]);
    rescue(conn, 100, true)
}

#[test]
fn a_running_job_with_attempts_left_goes_back_into_its_line() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    let last = ops::last_ticket(conn).unwrap();
    assert_eq!(
        lose(conn, made.worker),
        Rescued {
            queued: 1,
            failed: 0,
            cancelled: 0
        }
    );
    let back = job(conn, made.id);
    assert_eq!(
        (back.state, back.worker, back.attempt),
        (JobState::Queued, None, 1)
    );
    assert!(
        back.fence > made.fence,
        "whatever the old worker reports is stale"
    );
    assert!(back.run_at <= Utc::now());
    assert_eq!(
        back.last_error.as_deref(),
        Some("the worker's lease ran out")
    );
    assert_eq!(
        events(conn, made.id),
        ["lease_lost running>queued rescue daemon - -"]
    );
    let worker = register(conn);
    let again = claim_one(conn, worker);
    assert_eq!((again.id, again.attempt), (made.id, 2));
    assert!(again.ticket > last, "at the end of its line");
    ops::complete(conn, worker, &[(again.id, again.fence)]).unwrap();
    assert_eq!(state(conn, made.id), JobState::Completed);
}

#[test]
fn a_running_job_without_attempts_left_has_failed() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make_from(
        conn,
        JobState::Running,
        new_with(|job| job.max_attempts = Some(1)),
    );
    assert_eq!(
        lose(conn, made.worker),
        Rescued {
            queued: 0,
            failed: 1,
            cancelled: 0
        }
    );
    let ended = job(conn, made.id);
    assert_eq!(
        (ended.state, ended.worker),
        (JobState::Failed, Some(made.worker))
    );
    assert_eq!(
        ended.last_error.as_deref(),
        Some("the worker's lease ran out")
    );
    assert_eq!(
        events(conn, made.id),
        ["lease_lost running>failed rescue daemon - -"]
    );
}

#[test]
fn a_suspended_job_gets_its_attempt_back_also_when_it_was_the_last() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for max in [1, 5] {
        let made = make_from(
            conn,
            JobState::Suspended,
            new_with(|job| job.max_attempts = Some(max)),
        );
        assert_eq!(lose(conn, made.worker).queued, 1);
        let back = job(conn, made.id);
        assert_eq!((back.state, back.attempt), (JobState::Queued, 0));
        assert_eq!(
            events(conn, made.id)[1],
            "lease_lost suspended>queued rescue daemon - -"
        );
    }
}

#[test]
fn a_job_that_was_being_cancelled_is_cancelled() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for max in [1, 5] {
        let made = make_from(
            conn,
            JobState::Cancelling,
            new_with(|job| job.max_attempts = Some(max)),
        );
        let mark = job(conn, made.id).cancel().unwrap();
        assert_eq!(
            lose(conn, made.worker),
            Rescued {
                queued: 0,
                failed: 0,
                cancelled: 1
            }
        );
        let ended = job(conn, made.id);
        assert_eq!(
            (ended.state, ended.last_error.clone()),
            (JobState::Cancelled, None)
        );
        let cancel = ended.cancel().unwrap();
        assert_eq!(
            (cancel.at, cancel.actor, cancel.reason),
            (mark.at, mark.actor, mark.reason)
        );
        assert_eq!(cancel.rung.as_deref(), Some("lease_lost"));
        assert_eq!(
            events(conn, made.id)[1],
            "cancelled cancelling>cancelled rescue daemon made so {\"rung\": \"lease_lost\"}"
        );
    }
}

#[test]
fn only_the_jobs_of_dead_workers_are_touched() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let mut untouched: Vec<Made> = JobState::ALL.map(|state| make(conn, state)).to_vec();
    untouched.push(held(conn));
    let before: Vec<_> = untouched.iter().map(|made| facts(conn, made.id)).collect();
    let dead = held(conn);
    assert_eq!(
        ops::mark_dead(conn).unwrap(),
        Vec::<i64>::new(),
        "all are alive"
    );
    assert_eq!(rescue(conn, 100, true).total(), 0);
    assert_eq!(lose(conn, dead.worker).total(), 1);
    assert_eq!(
        rescue(conn, 100, true).total(),
        0,
        "a second pass finds nothing"
    );
    let after: Vec<_> = untouched.iter().map(|made| facts(conn, made.id)).collect();
    assert_eq!(before, after);
}

#[test]
fn a_worker_is_dead_once_marked_and_not_before() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let beat = Beat {
        running: 3,
        ticket_ceiling: 7,
        stopping: false,
    };
    run(
        conn,
        "update belay.worker set beat_at = clock_timestamp() - interval '30 s'",
    );
    assert_eq!(
        ops::mark_dead(conn).unwrap(),
        Vec::<i64>::new(),
        "its lease is a minute"
    );
    assert!(ops::beat(conn, worker, beat).unwrap());
    let seen = query::workers(conn).unwrap().remove(0);
    assert_eq!(
        (seen.running, seen.stopping, seen.dead_at),
        (3, false, None)
    );
    let_lease_run_out(conn, worker);
    assert!(
        !ops::beat(conn, worker, beat).unwrap(),
        "too late, though nobody has marked it yet"
    );
    assert_eq!(ops::mark_dead(conn).unwrap(), [worker]);
    assert_eq!(ops::mark_dead(conn).unwrap(), Vec::<i64>::new());
    assert!(!ops::beat(conn, worker, beat).unwrap());
    run(conn, "update belay.worker set beat_at = clock_timestamp()");
    assert!(!ops::beat(conn, worker, beat).unwrap(), "marked is marked");
    assert!(query::workers(conn).unwrap()[0].dead_at.is_some());
    assert!(!ops::beat(conn, worker + 1, beat).unwrap());
}

#[test]
fn a_worker_that_ends_in_good_order_leaves_nothing_running() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    ops::sleep(conn, made.worker).unwrap();
    ops::stop(conn, made.worker).unwrap();
    assert_eq!(count(conn, "select count(*) from belay.sleeper"), 0);
    assert_eq!(
        ops::mark_dead(conn).unwrap(),
        Vec::<i64>::new(),
        "it has said so itself"
    );
    assert_eq!(rescue(conn, 10, true).queued, 1);
}

#[test]
fn a_pass_takes_no_more_than_its_limit_and_the_next_goes_on() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let workers = [register(conn), register(conn)];
    enqueue_n(conn, &new_job(), 10);
    for worker in workers {
        assert_eq!(claim(conn, worker, 5).len(), 5);
        ops::stop(conn, worker).unwrap();
    }
    let totals: Vec<usize> = (0..4).map(|_| rescue(conn, 4, true).total()).collect();
    assert_eq!(totals, [4, 4, 2, 0]);
    assert_eq!(
        count(
            conn,
            "select count(*) from belay.job where state = 'queued'"
        ),
        10
    );
}

/// The fast pass looks left of the last known tickets only, and the whole one finds the rest.
#[test]
fn the_fast_pass_may_miss_what_was_claimed_after_the_last_heartbeat() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let in_line = |queue: &str, priority| NewJob {
        queue: Some(queue.into()),
        priority: Some(priority),
        ..new_job()
    };
    for (queue, priority) in [("a", 5), ("b", 2), ("a", 9)] {
        enqueue(conn, &in_line(queue, priority));
    }
    let ceiling = claim(conn, worker, 10)
        .iter()
        .map(|c| c.ticket)
        .max()
        .unwrap();
    assert_eq!(rescue(conn, 10, false).total(), 0, "the worker lives");
    assert!(
        ops::beat(
            conn,
            worker,
            Beat {
                running: 3,
                ticket_ceiling: ceiling,
                stopping: false
            }
        )
        .unwrap()
    );
    // A heartbeat that was under way reports less, and the ceiling does not sink.
    assert!(ops::beat(conn, worker, Beat::default()).unwrap());
    enqueue(conn, &in_line("a", 5));
    claim(conn, worker, 10);
    ops::stop(conn, worker).unwrap();
    assert_eq!(rescue(conn, 2, false).total(), 2);
    assert_eq!(rescue(conn, 2, false).total(), 1);
    assert_eq!(rescue(conn, 2, false).total(), 0);
    assert_eq!(rescue(conn, 2, true).total(), 1);
    assert_eq!(rescue(conn, 2, true).total(), 0);
}

#[test]
fn two_rescuers_at_once_share_the_work_without_waiting() {
    let db = TestDb::new();
    let (mut one, mut two) = (db.conn(), db.conn());
    let worker = register(&mut one);
    let ids = enqueue_n(&mut one, &new_job(), 6);
    claim(&mut one, worker, 6);
    ops::stop(&mut one, worker).unwrap();
    run(&mut two, "set lock_timeout = '2s'");
    run(&mut one, "begin");
    assert_eq!(ops::rescue(&mut one, 4, true).unwrap().queued, 4);
    assert_eq!(rescue(&mut two, 10, true).queued, 2);
    assert_eq!(rescue(&mut two, 10, true).total(), 0);
    run(&mut one, "commit");
    for id in ids {
        assert_eq!(
            events(&mut one, id),
            ["lease_lost running>queued rescue daemon - -"]
        );
    }
}

#[test]
fn a_dead_worker_is_forgotten_when_it_holds_nothing_and_some_time_has_passed() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    let alive = register(conn);
    let hour = Duration::from_secs(3600);
    ops::stop(conn, made.worker).unwrap();
    assert_eq!(ops::forget_dead(conn, hour).unwrap(), 0, "it has just died");
    run(
        conn,
        &format!(
            "update belay.worker set dead_at = dead_at - interval '2 hours' where id = {}",
            made.worker
        ),
    );
    assert_eq!(
        ops::forget_dead(conn, hour).unwrap(),
        0,
        "it still holds a job"
    );
    rescue(conn, 10, true);
    assert_eq!(ops::forget_dead(conn, hour).unwrap(), 1);
    let left: Vec<i64> = query::workers(conn)
        .unwrap()
        .iter()
        .map(|worker| worker.id)
        .collect();
    assert_eq!(left, [alive]);
}

#[test]
fn a_rescue_that_rolls_back_has_done_nothing() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    ops::stop(conn, made.worker).unwrap();
    let before = facts(conn, made.id);
    run(conn, "begin");
    assert_eq!(ops::rescue(conn, 10, true).unwrap().queued, 1);
    run(conn, "rollback");
    assert_eq!(facts(conn, made.id), before);
    // An operator may end it meanwhile.
    conn.transaction(|conn| ops::force_cancel(conn, None, made.id, &me(), None))
        .unwrap();
    assert_eq!(rescue(conn, 10, true).total(), 0);
}
