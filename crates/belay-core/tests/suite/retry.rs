//! What can be done to a finished job: run its content again as a new job, or delete its content.

use belay_core::ops::{self, NewJob, OutputRow, ProgressRow};
use belay_core::{Error, JobState, query};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    Made, TENANT, count, enqueue, events, facts, held, job, make, make_from, me, new_job,
    overtaken, report, run, stopped, with_key,
};

fn delete(conn: &mut PgConnection, id: i64) -> Result<(), Error> {
    conn.transaction(|conn| ops::delete_data(conn, Some(TENANT), id, &me(), Some("privacy")))
}

#[test]
fn a_retry_has_the_content_and_none_of_the_history() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for state in [JobState::Completed, JobState::Failed, JobState::Cancelled] {
        let content = NewJob {
            payload: "{\"a\": [1]}".into(),
            priority: Some(2),
            max_attempts: Some(9),
            timeout_s: Some(77),
            unique_key: Some(state.as_str().into()),
            ..new_job()
        };
        let made = make_from(conn, state, content);
        let before = job(conn, made.id);
        let new = ops::retry(conn, Some(TENANT), made.id, &me(), Some("again")).unwrap();
        let (old, new) = (job(conn, made.id), job(conn, new));
        assert_eq!(old, before, "the old job stays as it ended");
        assert_eq!((new.state, new.retry_of), (JobState::Queued, Some(old.id)));
        assert_eq!(
            (
                &new.kind,
                &new.queue,
                &new.payload,
                &new.unique_key,
                new.priority,
                new.max_attempts,
                new.timeout_s
            ),
            (
                &old.kind,
                &old.queue,
                &old.payload,
                &old.unique_key,
                2,
                9,
                Some(77)
            )
        );
        assert_eq!(
            (
                new.attempt,
                new.fence,
                new.started_at,
                new.last_error.as_deref()
            ),
            (0, 0, None, None)
        );
        assert!(new.run_at >= old.finished_at.unwrap());
        let line = format!(
            "retried {state}>{state} tester native again {{\"job\": {}}}",
            new.id
        );
        assert_eq!(events(conn, old.id).pop(), Some(line));
        assert!(events(conn, new.id).is_empty());
    }
}

#[test]
fn a_retry_is_refused_with_the_reason_and_makes_nothing() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for state in JobState::ALL
        .into_iter()
        .filter(|state| !state.is_terminal())
    {
        let id = make(conn, state).id;
        let before = facts(conn, id);
        let refused = ops::retry(conn, Some(TENANT), id, &me(), None);
        assert!(
            matches!(&refused, Err(Error::Refused { state: Some(s), message }) if *s == state && message.contains("has not finished")),
            "{state}: {refused:?}"
        );
        assert_eq!(facts(conn, id), before);
    }
    let (other, _) = ops::create_tenant(conn, "other").unwrap();
    let done = make_from(conn, JobState::Failed, with_key("k")).id;
    for (tenant, id) in [(Some(other), done), (None, 999_999)] {
        let missing = ops::retry(conn, tenant, id, &me(), None);
        assert!(matches!(missing, Err(Error::Missing { .. })), "{missing:?}");
    }
    enqueue(conn, &with_key("k"));
    let jobs = count(conn, "select count(*) from belay.job");
    let taken = ops::retry(conn, None, done, &me(), None);
    assert!(
        matches!(&taken, Err(Error::Refused { message, .. }) if message.contains("unique key")),
        "{taken:?}"
    );
    assert_eq!(count(conn, "select count(*) from belay.job"), jobs);
    assert_eq!(events(conn, done).len(), 1, "only the failure is recorded");
}

#[test]
fn a_finished_job_can_be_retried_again_and_again() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Failed);
    let first = ops::retry(conn, None, made.id, &me(), None).unwrap();
    let second = ops::retry(conn, None, made.id, &me(), None).unwrap();
    assert_ne!(first, second);
    assert_eq!(events(conn, made.id).len(), 3);
}

fn with_output(conn: &mut PgConnection) -> Made {
    let made = held(conn);
    let output = OutputRow {
        job: made.id,
        fence: made.fence,
        attempt: 1,
        stdout: "a secret".into(),
        stderr: String::new(),
        stdout_bytes: 8,
        stderr_bytes: 0,
        exit_code: None,
        signal: None,
        ran_ms: Some(1270),
    };
    let progress = ProgressRow {
        job: made.id,
        fence: made.fence,
        attempt: 1,
        done: 1,
        total: None,
        message: Some("a secret".into()),
    };
    ops::save_output(conn, made.worker, &[output]).unwrap();
    ops::save_progress(conn, made.worker, &[progress]).unwrap();
    run(
        conn,
        &format!(
            "insert into belay.job_upload (job, file, chunk, content) values ({}, 1, 1, 'x')",
            made.id
        ),
    );
    made
}

#[test]
fn the_content_of_a_finished_job_can_be_deleted_and_the_fact_of_it_stays() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = with_output(conn);
    report(conn, made, crate::common::fail_for_good("a secret"));
    let before = job(conn, made.id);
    assert!(!before.data_deleted);
    delete(conn, made.id).unwrap();
    let after = job(conn, made.id);
    assert!(after.data_deleted);
    assert_eq!(
        (after.payload.as_str(), after.last_error.as_deref()),
        ("{}", None)
    );
    assert_eq!(
        (after.state, after.finished_at, after.attempt),
        (before.state, before.finished_at, before.attempt)
    );
    assert!(query::outputs(conn, made.id).unwrap().is_empty());
    assert_eq!(query::progress(conn, made.id).unwrap(), None);
    assert_eq!(count(conn, "select count(*) from belay.job_upload"), 0);
    assert_eq!(
        events(conn, made.id).pop().unwrap(),
        "data_deleted failed>failed tester native privacy -"
    );
    let again = facts(conn, made.id);
    delete(conn, made.id).unwrap();
    assert_eq!(facts(conn, made.id), again, "a second call changes nothing");
    let retried = ops::retry(conn, None, made.id, &me(), None);
    assert!(
        matches!(&retried, Err(Error::Refused { message, .. }) if message.contains("deleted")),
        "{retried:?}"
    );
}

/// The error of a failed attempt may hold a part of the payload.
#[test]
fn nothing_of_the_content_is_left_in_the_record() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make_from(
        conn,
        JobState::Running,
        NewJob {
            payload: "\"a secret\"".into(),
            ..new_job()
        },
    );
    report(
        conn,
        made,
        crate::common::fail_for_good("cannot read \"a secret\""),
    );
    delete(conn, made.id).unwrap();
    let left = facts(conn, made.id).to_string();
    assert!(!left.contains("a secret"), "{left}");
}

#[test]
fn the_content_of_an_unfinished_job_cannot_be_deleted() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for state in JobState::ALL
        .into_iter()
        .filter(|state| !state.is_terminal())
    {
        let id = make(conn, state).id;
        let before = facts(conn, id);
        let refused = delete(conn, id);
        assert!(
            matches!(&refused, Err(Error::Refused { state: Some(s), message }) if *s == state && message.contains("cancel it first")),
            "{state}: {refused:?}"
        );
        assert_eq!(facts(conn, id), before);
    }
    assert!(matches!(delete(conn, 999_999), Err(Error::Missing { .. })));
}

/// A worker that is just saving output cannot slip it in behind the deletion.
#[test]
fn what_a_cancelled_job_wrote_is_gone_for_good() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = with_output(conn);
    ops::cancel_one(conn, None, made.id, &me(), None, ops::CancelLimit::Any).unwrap();
    report(conn, made, stopped());
    delete(conn, made.id).unwrap();
    let late = ProgressRow {
        job: made.id,
        fence: made.fence,
        attempt: 1,
        done: 2,
        total: None,
        message: None,
    };
    ops::save_progress(conn, made.worker, &[late]).unwrap();
    assert_eq!(query::progress(conn, made.id).unwrap(), None);
}

#[test]
fn a_retry_and_a_deletion_of_the_content_take_turns() {
    let db = TestDb::new();
    let mut first = db.conn();
    let made = make(&mut first, JobState::Completed);
    run(&mut first, "begin");
    ops::delete_data(&mut first, None, made.id, &me(), None).unwrap();
    let retried = overtaken(&db, &mut first, "commit", |conn| {
        ops::retry(conn, None, made.id, &me(), None)
    });
    assert!(
        matches!(&retried, Err(Error::Refused { message, .. }) if message.contains("deleted")),
        "{retried:?}"
    );

    let made = make_from(
        &mut first,
        JobState::Completed,
        NewJob {
            payload: "[1]".into(),
            ..new_job()
        },
    );
    run(&mut first, "begin");
    let new = ops::retry(&mut first, None, made.id, &me(), None).unwrap();
    overtaken(&db, &mut first, "commit", |conn| delete(conn, made.id)).unwrap();
    assert_eq!(
        job(&mut first, new).payload,
        "[1]",
        "the new job has content of its own"
    );
    assert!(job(&mut first, made.id).data_deleted);
}
