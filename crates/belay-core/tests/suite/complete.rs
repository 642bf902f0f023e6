//! Complete: the hottest report. Only the worker that holds a job under its fence ends it, and never against a cancel.

use belay_core::JobState;
use belay_core::ops::{self, CancelLimit};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    Made, claim, count, enqueue_n, events, facts, fail, held, job, make, me, new_job, register,
    report, text,
};

fn sorted(mut answers: Vec<(i64, JobState)>) -> Vec<(i64, JobState)> {
    answers.sort_unstable_by_key(|(id, _)| *id);
    answers
}

#[test]
fn a_batch_is_completed_in_any_order_and_answered_by_id() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let ids = enqueue_n(conn, &new_job(), 100);
    let mut reports: Vec<(i64, i32)> = claim(conn, worker, 100)
        .iter()
        .map(|claimed| (claimed.id, claimed.fence))
        .collect();
    reports.reverse();
    let answers = sorted(ops::complete(conn, worker, &reports).unwrap());
    let expected: Vec<_> = ids.iter().map(|id| (*id, JobState::Completed)).collect();
    assert_eq!(answers, expected);
    assert_eq!(count(conn, "select count(*) from belay.job"), 0);
    assert_eq!(count(conn, "select count(*) from belay.job_done"), 100);
    assert_eq!(
        count(conn, "select count(*) from belay.job_event"),
        0,
        "the happy path writes no event"
    );
    assert_eq!(ops::complete(conn, worker, &[]).unwrap(), []);
}

#[test]
fn the_finished_job_keeps_what_was_known_of_it() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let first = held(conn);
    report(conn, first, fail("the first time", 0.0));
    ops::promote(conn, 10).unwrap();
    let claimed = claim(conn, first.worker, 1).pop().unwrap();
    let before = job(conn, first.id);
    ops::complete(conn, first.worker, &[(claimed.id, claimed.fence)]).unwrap();
    let after = job(conn, first.id);
    assert_eq!(after.state, JobState::Completed);
    assert!(after.finished_at >= after.claimed_at && after.claimed_at > after.started_at);
    let mut expected = before;
    expected.state = after.state;
    expected.finished_at = after.finished_at;
    assert_eq!(after, expected);
    assert_eq!(after.last_error.as_deref(), Some("the first time"));
    assert_eq!(after.attempt, 2);
}

#[test]
fn a_report_that_does_not_fit_changes_nothing_and_has_no_answer() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    let other = register(conn);
    let before = facts(conn, made.id);
    for (worker, id, fence) in [
        (made.worker, made.id, made.fence - 1),
        (made.worker, made.id, made.fence + 1),
        (made.worker, made.id, i32::MAX),
        (other, made.id, made.fence),
        (-1, made.id, made.fence),
        (made.worker, made.id + 1000, made.fence),
        (made.worker, -made.id, made.fence),
    ] {
        let reports = [(id, fence)];
        assert_eq!(ops::complete(conn, worker, &reports).unwrap(), []);
        assert_eq!(ops::unresolved(conn, worker, &reports).unwrap(), []);
        assert_eq!(facts(conn, made.id), before);
    }
    let good = [(made.id, made.fence)];
    assert_eq!(
        ops::complete(conn, made.worker, &good).unwrap(),
        [(made.id, JobState::Completed)]
    );
    let finished = facts(conn, made.id);
    assert_eq!(ops::complete(conn, made.worker, &good).unwrap(), []);
    assert_eq!(facts(conn, made.id), finished);
}

#[test]
fn wrong_reports_do_not_disturb_the_right_ones_of_their_batch() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    enqueue_n(conn, &new_job(), 3);
    let jobs = claim(conn, worker, 3);
    let batch = [
        (jobs[0].id, jobs[0].fence),
        (999_999, 1),
        (jobs[1].id, jobs[1].fence + 7),
        (jobs[0].id, jobs[0].fence),
        (jobs[2].id, jobs[2].fence),
    ];
    let answers = sorted(ops::complete(conn, worker, &batch).unwrap());
    let done = |i: usize| (jobs[i].id, JobState::Completed);
    assert_eq!(answers, [done(0), done(2)], "a job is answered once");
    assert_eq!(job(conn, jobs[1].id).state, JobState::Running);
}

#[test]
fn a_completion_after_a_cancel_ends_the_job_as_cancelled() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Cancelling);
    let mark = job(conn, made.id).cancel().unwrap();
    let answers = ops::complete(conn, made.worker, &[(made.id, made.fence)]).unwrap();
    assert_eq!(answers, [(made.id, JobState::Cancelled)]);
    let ended = job(conn, made.id);
    assert_eq!(
        (ended.state, ended.worker),
        (JobState::Cancelled, Some(made.worker))
    );
    let cancel = ended.cancel().unwrap();
    assert_eq!(cancel.rung.as_deref(), Some("cooperative"));
    assert_eq!(
        (cancel.at, &cancel.actor, &cancel.reason),
        (mark.at, &mark.actor, &mark.reason)
    );
    assert_eq!(
        events(conn, made.id),
        [
            "cancel_requested running>cancelling tester native made so -".to_owned(),
            format!(
                "cancelled cancelling>cancelled worker {} worker made so {{\"rung\": \"cooperative\", \"finished_anyway\": \"completed\"}}",
                made.worker
            ),
        ]
    );
    assert_eq!(
        text(
            conn,
            &format!(
                "select was::text from belay.job_done where id = {}",
                made.id
            )
        ),
        "cancelling"
    );
}

#[test]
fn a_suspended_job_is_not_completed_and_is_named_as_unresolved() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Suspended);
    let before = facts(conn, made.id);
    let reports = [(made.id, made.fence)];
    assert_eq!(ops::complete(conn, made.worker, &reports).unwrap(), []);
    assert_eq!(
        ops::unresolved(conn, made.worker, &reports).unwrap(),
        [(made.id, JobState::Suspended)]
    );
    assert_eq!(facts(conn, made.id), before);
    conn.transaction(|conn| ops::resume(conn, None, made.id, &me(), None))
        .unwrap();
    assert_eq!(
        ops::complete(conn, made.worker, &reports).unwrap(),
        [(made.id, JobState::Completed)]
    );
}

#[test]
fn unresolved_names_what_the_worker_still_holds_and_nothing_else() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    enqueue_n(conn, &new_job(), 4);
    let jobs = claim(conn, worker, 4);
    ops::cancel_one(conn, None, jobs[1].id, &me(), None, CancelLimit::Any).unwrap();
    ops::complete(conn, worker, &[(jobs[2].id, jobs[2].fence)]).unwrap();
    let cancel = |conn: &mut PgConnection| {
        ops::force_cancel(conn, None, jobs[3].id, &me(), Some("by force"))
    };
    conn.transaction(cancel).unwrap();
    let asked: Vec<(i64, i32)> = jobs.iter().map(|job| (job.id, job.fence)).collect();
    assert_eq!(
        sorted(ops::unresolved(conn, worker, &asked).unwrap()),
        [
            (jobs[0].id, JobState::Running),
            (jobs[1].id, JobState::Cancelling)
        ]
    );
    assert_eq!(
        sorted_ids(ops::lost(conn, worker, &asked).unwrap()),
        [jobs[2].id, jobs[3].id]
    );
    assert!(ops::lost(conn, worker, &[]).unwrap().is_empty());
}

fn sorted_ids(mut ids: Vec<i64>) -> Vec<i64> {
    ids.sort_unstable();
    ids
}

/// A worker that lost its lease cannot end what another worker runs now.
#[test]
fn a_job_that_was_rescued_is_not_completed_by_the_worker_that_lost_it() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let lost = held(conn);
    ops::stop(conn, lost.worker).unwrap();
    conn.transaction(|conn| ops::rescue(conn, 10, true))
        .unwrap();
    let next = register(conn);
    let claimed = claim(conn, next, 1).pop().unwrap();
    let before = facts(conn, lost.id);
    for fence in [lost.fence, claimed.fence] {
        assert_eq!(
            ops::complete(conn, lost.worker, &[(lost.id, fence)]).unwrap(),
            []
        );
    }
    assert_eq!(facts(conn, lost.id), before);
    let now = Made {
        id: lost.id,
        worker: next,
        fence: claimed.fence,
    };
    assert_eq!(
        ops::complete(conn, now.worker, &[(now.id, now.fence)]).unwrap(),
        [(now.id, JobState::Completed)]
    );
}
