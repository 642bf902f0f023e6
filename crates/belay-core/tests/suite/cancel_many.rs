//! Cancel of many: one answer per id in request order, every accepted cancel recorded once, one transaction.

use belay_core::ops::{self, CancelAnswer, CancelLimit, MAX_CANCEL, Outcome};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    TENANT, claim_from, count, enqueue_n, events, facts, make, me, new_job, new_with, register,
    run, state,
};

#[track_caller]
fn cancel(conn: &mut PgConnection, ids: &[i64]) -> Vec<CancelAnswer> {
    ops::cancel_many(
        conn,
        Some(TENANT),
        ids,
        &me(),
        Some("all of it"),
        CancelLimit::Any,
    )
    .unwrap()
}

fn outcomes(answers: &[CancelAnswer]) -> Vec<Outcome> {
    answers.iter().map(|answer| answer.outcome).collect()
}

#[test]
fn answers_come_in_request_order_with_repeats_and_strangers() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (other, _) = ops::create_tenant(conn, "other").unwrap();
    let foreign = ops::enqueue(conn, other, &new_job(), None, false, &me())
        .unwrap()
        .id;
    let [queued, running, cancelling, cancelled, completed] = [
        JobState::Queued,
        JobState::Running,
        JobState::Cancelling,
        JobState::Cancelled,
        JobState::Completed,
    ]
    .map(|state| make(conn, state).id);
    let before = facts(conn, foreign);
    let ids = [
        running,
        999_999,
        completed,
        queued,
        running,
        foreign,
        cancelled,
        queued,
        0,
        cancelling,
        -5,
        completed,
        cancelling,
        i64::MAX,
    ];
    let answers = cancel(conn, &ids);
    assert_eq!(answers.iter().map(|a| a.id).collect::<Vec<_>>(), ids);
    use Outcome::{Already, Cancelled, Cancelling, Missing, Refused};
    assert_eq!(
        outcomes(&answers),
        [
            Cancelling, Missing, Refused, Cancelled, Already, Missing, Already, Already, Missing,
            Already, Missing, Refused, Already, Missing
        ]
    );
    let repeats: Vec<bool> = answers.iter().map(|answer| answer.repeat).collect();
    assert_eq!(
        repeats,
        [
            false, false, false, false, true, false, false, true, false, false, false, true, true,
            false
        ]
    );
    // A repeat finds what the first mention made of the job.
    assert_eq!(
        (answers[4].was, answers[4].state),
        (Some(JobState::Cancelling), Some(JobState::Cancelling))
    );
    assert_eq!(
        (answers[7].was, answers[7].state),
        (Some(JobState::Cancelled), Some(JobState::Cancelled))
    );
    assert_eq!(facts(conn, foreign), before);
}

#[test]
fn each_accepted_cancel_is_recorded_once_and_nothing_else_is() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let [queued, running, suspended, completed] = [
        JobState::Queued,
        JobState::Running,
        JobState::Suspended,
        JobState::Completed,
    ]
    .map(|state| make(conn, state).id);
    run(
        conn,
        "create temp table before as select id from belay.job_event",
    );
    let ids = [
        queued, running, suspended, completed, queued, running, suspended,
    ];
    cancel(conn, &ids);
    cancel(conn, &ids);
    let new = "select count(*) from belay.job_event e where not exists (select from pg_temp.before b where b.id = e.id)";
    assert_eq!(count(conn, new), 3);
    assert_eq!(
        events(conn, queued),
        ["cancelled queued>cancelled tester native all of it -"]
    );
    assert_eq!(
        events(conn, running),
        ["cancel_requested running>cancelling tester native all of it -"]
    );
    assert_eq!(
        events(conn, suspended)[1],
        "cancel_requested suspended>cancelling tester native all of it -"
    );
}

#[test]
fn five_hundred_are_one_call_and_one_more_is_refused() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let job = new_with(|job| job.queue = Some("q".into()));
    let mut ids = enqueue_n(conn, &job, MAX_CANCEL + 1);
    claim_from(conn, worker, "q", 100);
    let refused = ops::cancel_many(conn, None, &ids, &me(), None, CancelLimit::Any);
    assert!(
        matches!(&refused, Err(Error::Invalid { field: "ids", message }) if message.starts_with("501 ids")),
        "{refused:?}"
    );
    assert_eq!(
        count(
            conn,
            "select count(*) from belay.job where cancel_at is null"
        ),
        501
    );
    let last = ids.pop().unwrap();
    ids.reverse();
    let answers = cancel(conn, &ids);
    assert_eq!(answers.iter().map(|a| a.id).collect::<Vec<_>>(), ids);
    let started = answers
        .iter()
        .filter(|a| a.outcome == Outcome::Cancelling && a.started)
        .count();
    let waiting = answers
        .iter()
        .filter(|a| a.outcome == Outcome::Cancelled && !a.started)
        .count();
    assert_eq!((started, waiting), (100, 400));
    assert_eq!(count(conn, "select count(*) from belay.job_event"), 500);
    assert_eq!(state(conn, last), JobState::Queued);
}

#[test]
fn repeats_count_towards_the_limit_and_nothing_asked_is_nothing_answered() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = make(conn, JobState::Queued).id;
    assert!(
        ops::cancel_many(
            conn,
            None,
            &[id; MAX_CANCEL + 1],
            &me(),
            None,
            CancelLimit::Any
        )
        .is_err()
    );
    let answers = cancel(conn, &[id; MAX_CANCEL]);
    assert_eq!(answers[0].outcome, Outcome::Cancelled);
    assert!(
        answers[1..]
            .iter()
            .all(|a| a.outcome == Outcome::Already && a.repeat)
    );
    assert_eq!(events(conn, id).len(), 1);
    assert_eq!(cancel(conn, &[]), []);
}

#[test]
fn without_a_tenant_every_tenant_is_meant() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (other, _) = ops::create_tenant(conn, "other").unwrap();
    let theirs = ops::enqueue(conn, other, &new_job(), None, false, &me())
        .unwrap()
        .id;
    let ours = make(conn, JobState::Queued).id;
    let answers =
        ops::cancel_many(conn, None, &[theirs, ours], &me(), None, CancelLimit::Any).unwrap();
    assert_eq!(outcomes(&answers), [Outcome::Cancelled, Outcome::Cancelled]);
}

#[test]
fn a_batch_is_bound_to_its_transaction_as_a_whole() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids =
        [JobState::Queued, JobState::Running, JobState::Open].map(|state| make(conn, state).id);
    let before = ids.map(|id| facts(conn, id));
    run(conn, "begin");
    cancel(conn, &ids);
    run(conn, "rollback");
    assert_eq!(ids.map(|id| facts(conn, id)), before);
}
