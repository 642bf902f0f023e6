//! External work: who may start what, how it is reported, and what becomes of it when nobody reports.

use std::sync::Barrier;
use std::time::Duration;

use belay_core::ops::{self, Actor, CancelLimit, Outcome, Verdict, Via};
use belay_core::{Error, JobState, Result, query};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    TENANT, count, enqueue, events, facts, fail_for_good, held, job, let_lease_run_out, make, me,
    new_job, new_with, overtaken, run, state,
};

fn ci() -> Actor {
    Actor::new("ci", Via::Jobs)
}

fn start(conn: &mut PgConnection, id: i64) -> Result<i64> {
    conn.transaction(|conn| ops::start_external(conn, Some(TENANT), id, &ci()))
}

fn finish(
    conn: &mut PgConnection,
    id: i64,
    verdict: Verdict,
    comment: Option<&str>,
) -> Result<JobState> {
    conn.transaction(|conn| ops::finish_external(conn, Some(TENANT), id, &ci(), verdict, comment))
}

fn workers(conn: &mut PgConnection) -> i64 {
    count(conn, "select count(*) from belay.worker")
}

#[test]
fn a_started_job_is_held_like_any_other() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = enqueue(conn, &new_job());
    let worker = start(conn, id).unwrap();
    let now = job(conn, id);
    assert_eq!(
        (now.state, now.worker, now.attempt, now.fence),
        (JobState::Running, Some(worker), 1, 1)
    );
    assert_eq!(now.started_at, now.claimed_at);
    assert!(now.started_at >= Some(now.created_at));
    let row = query::workers(conn).unwrap().pop().unwrap();
    assert_eq!((row.id, row.name.as_str()), (worker, "external:ci"));
    assert_eq!((row.slots, row.running, row.lease_ms), (0, 1, 3_600_000));
    assert!(row.is_external() && row.kinds.is_empty());
    assert_eq!(
        events(conn, id),
        ["started_externally running>running ci jobs - -"]
    );
    // Its transitions are there once each.
    let now = job(conn, id);
    let line: Vec<String> = query::timeline(conn, &now)
        .unwrap()
        .into_iter()
        .map(|entry| entry.event)
        .collect();
    assert_eq!(line, ["created", "claimed", "started_externally"]);
}

#[test]
fn only_a_queued_job_can_be_started() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for state in JobState::ALL.into_iter().filter(|s| *s != JobState::Queued) {
        let id = make(conn, state).id;
        let (before, rows) = (facts(conn, id), workers(conn));
        let refusal = start(conn, id);
        assert!(
            matches!(&refusal, Err(Error::Refused { state: Some(s), message }) if *s == state && message.contains(state.as_str())),
            "{state}: {refusal:?}"
        );
        assert_eq!((facts(conn, id), workers(conn)), (before, rows), "{state}");
    }
    assert!(matches!(start(conn, 999_999), Err(Error::Missing { .. })));
    let id = enqueue(conn, &new_job());
    let other = conn.transaction(|conn| ops::start_external(conn, Some(99), id, &ci()));
    assert!(
        matches!(other, Err(Error::Missing { .. })),
        "of another tenant"
    );
}

#[test]
fn a_report_ends_the_job_and_the_worker() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (good, bad) = (enqueue(conn, &new_job()), enqueue(conn, &new_job()));
    start(conn, good).unwrap();
    start(conn, bad).unwrap();
    let done = finish(conn, good, Verdict::Completed, Some("all 12 pages")).unwrap();
    assert_eq!((done, state(conn, good)), (JobState::Completed, done));
    let failed = finish(conn, bad, fail_for_good("no paper"), None).unwrap();
    assert_eq!((failed, state(conn, bad)), (JobState::Failed, failed));
    assert_eq!(job(conn, bad).last_error.as_deref(), Some("no paper"));
    assert_eq!(workers(conn), 0);
    assert_eq!(
        events(conn, good),
        [
            "started_externally running>running ci jobs - -",
            "reported running>running ci jobs all 12 pages -"
        ]
    );
    for id in [good, bad] {
        let before = facts(conn, id);
        let again = finish(conn, id, Verdict::Completed, None);
        assert!(matches!(again, Err(Error::Refused { state: Some(s), .. }) if s.is_terminal()));
        assert_eq!(facts(conn, id), before);
    }
}

#[test]
fn a_job_in_other_hands_cannot_be_reported() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for state in JobState::ALL {
        let id = make(conn, state).id;
        let before = facts(conn, id);
        let refusal = finish(conn, id, Verdict::Completed, None);
        assert!(matches!(refusal, Err(Error::Refused { state: Some(s), .. }) if s == state));
        assert_eq!(facts(conn, id), before, "{state}");
    }
    // A worker of the daemon does not become external by its name.
    let id = held(conn).id;
    run(conn, "update belay.worker set name = 'external:ci'");
    assert!(finish(conn, id, Verdict::Completed, None).is_err());
}

#[test]
fn a_cancel_that_came_first_ends_the_job_whatever_is_reported() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for verdict in [Verdict::Completed, fail_for_good("late")] {
        let id = enqueue(conn, &new_job());
        start(conn, id).unwrap();
        let answer =
            ops::cancel_one(conn, None, id, &me(), Some("stop"), CancelLimit::Any).unwrap();
        assert_eq!(answer.outcome, Outcome::Cancelling);
        assert_eq!(
            finish(conn, id, verdict, None).unwrap(),
            JobState::Cancelled
        );
        assert_eq!(state(conn, id), JobState::Cancelled);
    }
    assert_eq!(workers(conn), 0);
}

#[test]
fn a_suspended_job_has_to_go_on_first() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = enqueue(conn, &new_job());
    start(conn, id).unwrap();
    ops::suspend(conn, None, id, &me(), None).unwrap();
    let before = facts(conn, id);
    let refusal = finish(conn, id, Verdict::Completed, None);
    assert!(matches!(
        refusal,
        Err(Error::Refused {
            state: Some(JobState::Suspended),
            ..
        })
    ));
    assert_eq!(facts(conn, id), before);
    ops::resume(conn, None, id, &me(), None).unwrap();
    assert_eq!(
        finish(conn, id, Verdict::Completed, None).unwrap(),
        JobState::Completed
    );
}

#[test]
fn without_a_report_the_rescue_takes_the_job_back_and_the_row_is_forgotten() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (again, over) = (
        enqueue(conn, &new_job()),
        enqueue(conn, &new_with(|job| job.max_attempts = Some(1))),
    );
    let stopped = enqueue(conn, &new_job());
    for id in [again, over, stopped] {
        let worker = start(conn, id).unwrap();
        let_lease_run_out(conn, worker);
    }
    ops::cancel_one(conn, None, stopped, &me(), None, CancelLimit::Any).unwrap();
    assert_eq!(ops::mark_dead(conn).unwrap().len(), 3);
    // The fast pass finds them: it looks left of the tickets of dead workers.
    let rescued = conn
        .transaction(|conn| ops::rescue(conn, 100, false))
        .unwrap();
    assert_eq!(
        (rescued.queued, rescued.failed, rescued.cancelled),
        (1, 1, 1)
    );
    assert_eq!(state(conn, again), JobState::Queued);
    assert_eq!(ops::forget_dead(conn, Duration::ZERO).unwrap(), 3);
    // What comes late carries no weight, also when another program has it by now.
    assert!(finish(conn, again, Verdict::Completed, None).is_err());
    assert_eq!(state(conn, again), JobState::Queued);
}

#[test]
fn a_comment_that_cannot_be_kept_is_refused() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = enqueue(conn, &new_job());
    start(conn, id).unwrap();
    let refusal = finish(conn, id, Verdict::Completed, Some(&"c".repeat(1001)));
    assert!(matches!(refusal, Err(Error::Invalid { .. })));
    assert_eq!(state(conn, id), JobState::Running);
}

#[test]
fn of_many_that_start_one_job_one_gets_it() {
    let db = TestDb::new();
    let id = enqueue(&mut db.conn(), &new_job());
    let barrier = Barrier::new(8);
    let got: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let conn = &mut db.conn();
                    barrier.wait();
                    usize::from(start(conn, id).is_ok())
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    let conn = &mut db.conn();
    assert_eq!((got, workers(conn), job(conn, id).fence), (1, 1, 1));
}

#[test]
fn a_cancel_or_a_claim_that_holds_the_job_is_waited_for_and_wins() {
    let db = TestDb::new();
    let first = &mut db.conn();
    let id = enqueue(first, &new_job());
    run(first, "begin");
    ops::cancel_one(first, None, id, &me(), None, CancelLimit::Any).unwrap();
    let late = overtaken(&db, first, "commit", |conn| start(conn, id));
    assert!(
        matches!(
            late,
            Err(Error::Refused {
                state: Some(JobState::Cancelled),
                ..
            })
        ),
        "{late:?}"
    );
    let id = enqueue(first, &new_job());
    let worker = crate::common::register(first);
    run(first, "begin");
    assert_eq!(crate::common::claim_one(first, worker).id, id);
    let late = overtaken(&db, first, "commit", |conn| start(conn, id));
    assert!(
        matches!(
            late,
            Err(Error::Refused {
                state: Some(JobState::Running),
                ..
            })
        ),
        "{late:?}"
    );
    assert_eq!(job(first, id).worker, Some(worker));
}

#[test]
fn a_report_that_waits_for_a_cancel_ends_as_cancelled() {
    let db = TestDb::new();
    let first = &mut db.conn();
    let id = enqueue(first, &new_job());
    start(first, id).unwrap();
    run(first, "begin");
    ops::cancel_one(first, None, id, &me(), None, CancelLimit::Any).unwrap();
    let end = overtaken(&db, first, "commit", |conn| {
        finish(conn, id, Verdict::Completed, None)
    });
    assert_eq!(end.unwrap(), JobState::Cancelled);
}

#[test]
fn only_whoever_started_it_reports_on_it() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = enqueue(conn, &new_job());
    let worker = start(conn, id).unwrap();
    let other = Actor::new("other", Via::Jobs);
    let refused = conn
        .transaction(|conn| {
            ops::finish_external(conn, Some(TENANT), id, &other, Verdict::Completed, None)
        })
        .unwrap_err();
    assert!(
        matches!(&refused, Error::Refused { state: Some(JobState::Running), message } if message.contains("of the same name")),
        "{refused:?}"
    );
    // The first one was silent for too long, and another one has it now.
    let_lease_run_out(conn, worker);
    ops::mark_dead(conn).unwrap();
    conn.transaction(|conn| ops::rescue(conn, 100, false))
        .unwrap();
    assert_eq!(state(conn, id), JobState::Queued);
    conn.transaction(|conn| ops::start_external(conn, Some(TENANT), id, &other))
        .unwrap();
    finish(conn, id, Verdict::Completed, None).unwrap_err();
    assert_eq!(state(conn, id), JobState::Running);
    let ended = conn.transaction(|conn| {
        ops::finish_external(conn, Some(TENANT), id, &other, Verdict::Completed, None)
    });
    assert_eq!(ended.unwrap(), JobState::Completed);
}

#[test]
fn what_the_daemon_does_in_its_database_nobody_else_can_do() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for kind in ["ingest", "cancel_jobs", "retry_jobs"] {
        let id = enqueue(conn, &ops::NewJob::new(kind));
        let refused = start(conn, id).unwrap_err().to_string();
        assert!(refused.contains("run by the daemon itself"), "{refused}");
        assert_eq!(state(conn, id), JobState::Queued);
    }
}
