//! Enqueue: what a new job gets from its kind, and when it may run.

use belay_core::ops::{self, KindSpec, NewJob};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use chrono::{TimeDelta, Utc};
use diesel::prelude::*;

use crate::common::{
    TENANT, claim_one, enqueue, facts, in_an_hour, job, me, new_job, new_with, register, state,
    texts,
};

fn kind() -> KindSpec {
    KindSpec {
        name: "report.monthly".into(),
        executor: "command".into(),
        queue: "reports".into(),
        priority: 7,
        max_attempts: 3,
        timeout_s: Some(90),
        can_suspend: true,
        ..KindSpec::new("", "")
    }
}

#[test]
fn what_the_request_leaves_out_comes_from_the_kind() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    ops::register_kinds(conn, &[kind()]).unwrap();
    let made = ops::enqueue(
        conn,
        TENANT,
        &NewJob::new("report.monthly"),
        None,
        false,
        &me(),
    )
    .unwrap();
    assert!(!made.existed);
    assert_eq!(made.id, 1, "ids start at 1");
    let found = job(conn, made.id);
    assert_eq!(
        (
            found.queue.as_str(),
            found.priority,
            found.max_attempts,
            found.timeout_s
        ),
        ("reports", 7, 3, Some(90))
    );
    assert_eq!(
        (found.tenant, found.kind.as_str(), found.payload.as_str()),
        (TENANT, "report.monthly", "{}")
    );
    assert_eq!(
        (found.state, found.attempt, found.fence),
        (JobState::Queued, 0, 0)
    );
    assert_eq!(
        (found.created_by.as_str(), found.created_via.as_str()),
        ("tester", "native")
    );
    assert_eq!(found.run_at, found.created_at);
    assert_eq!(
        (found.started_at, found.claimed_at, found.finished_at),
        (None, None, None)
    );
    assert_eq!(found.cancel(), None);
}

#[test]
fn what_the_request_says_goes_before_the_kind() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    ops::register_kinds(conn, &[kind()]).unwrap();
    let id = enqueue(
        conn,
        &NewJob {
            kind: "report.monthly".into(),
            payload: r#"{"month": "é", "deep": [1, null]}"#.into(),
            queue: Some("urgent".into()),
            priority: Some(0),
            run_at: None,
            max_attempts: Some(1000),
            timeout_s: Some(31_536_000),
            job_timeout_s: Some(77),
            unique_key: Some("k".into()),
        },
    );
    let found = job(conn, id);
    assert_eq!(
        (
            found.queue.as_str(),
            found.priority,
            found.max_attempts,
            found.timeout_s
        ),
        ("urgent", 0, 1000, Some(31_536_000))
    );
    assert_eq!(found.unique_key.as_deref(), Some("k"));
    let payload: serde_json::Value = serde_json::from_str(&found.payload).unwrap();
    assert_eq!(
        payload,
        serde_json::json!({"month": "é", "deep": [1, null]})
    );
}

#[test]
fn a_changed_kind_changes_the_defaults_of_later_jobs_only() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    ops::register_kinds(conn, &[kind()]).unwrap();
    let before = enqueue(conn, &NewJob::new("report.monthly"));
    let changed = KindSpec {
        priority: 2,
        max_attempts: 9,
        timeout_s: None,
        ..kind()
    };
    ops::register_kinds(conn, &[changed]).unwrap();
    let after = enqueue(conn, &NewJob::new("report.monthly"));
    let (before, after) = (job(conn, before), job(conn, after));
    assert_eq!(
        (before.priority, before.max_attempts, before.timeout_s),
        (7, 3, Some(90))
    );
    assert_eq!(
        (after.priority, after.max_attempts, after.timeout_s),
        (2, 9, None)
    );
}

#[test]
fn a_time_to_come_makes_it_wait_and_a_time_gone_by_does_not() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let later = enqueue(conn, &new_with(|job| job.run_at = in_an_hour()));
    assert_eq!(state(conn, later), JobState::Scheduled);
    let past = Utc::now() - TimeDelta::days(400);
    let due = enqueue(conn, &new_with(|job| job.run_at = Some(past)));
    assert_eq!(state(conn, due), JobState::Queued);
    let worker = register(conn);
    let claimed = claim_one(conn, worker);
    assert_eq!(claimed.id, due);
    // It could have run since it exists, not since its time.
    assert!(
        (0.0..60.0).contains(&claimed.waited),
        "{} s",
        claimed.waited
    );
}

#[test]
fn an_open_job_waits_until_it_is_closed() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for (run_at, then) in [
        (None, JobState::Queued),
        (in_an_hour(), JobState::Scheduled),
    ] {
        let new = new_with(|job| job.run_at = run_at);
        let id = ops::enqueue(conn, TENANT, &new, None, true, &me())
            .unwrap()
            .id;
        assert_eq!(state(conn, id), JobState::Open);
        assert_eq!(ops::promote(conn, 10).unwrap(), 0);
        assert_eq!(
            conn.transaction(|conn| ops::close(conn, Some(TENANT), id, &me()))
                .unwrap(),
            then
        );
        assert_eq!(state(conn, id), then);
        let before = facts(conn, id);
        let again = conn.transaction(|conn| ops::close(conn, Some(TENANT), id, &me()));
        assert!(
            matches!(&again, Err(Error::Refused { state, message }) if *state == Some(then) && message.contains("only an open job")),
            "{again:?}"
        );
        assert_eq!(facts(conn, id), before);
    }
    let elsewhere = conn.transaction(|conn| ops::close(conn, Some(99), 1, &me()));
    assert!(
        matches!(elsewhere, Err(Error::Missing { .. })),
        "{elsewhere:?}"
    );
}

#[test]
fn the_first_job_of_a_line_registers_it() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let lines = "select concat_ws('/', queue, kind, priority) from belay.line order by 1";
    assert_eq!(texts(conn, lines), Vec::<String>::new());
    for (queue, priority) in [("b", 3), ("b", 3), ("a", 5), ("b", 9)] {
        enqueue(
            conn,
            &NewJob {
                queue: Some(queue.into()),
                priority: Some(priority),
                ..new_job()
            },
        );
    }
    assert_eq!(texts(conn, lines), ["a/sleep/5", "b/sleep/3", "b/sleep/9"]);
    assert_eq!(
        texts(conn, "select name from belay.queue order by 1"),
        ["a", "b", "default"]
    );
    let found = ops::lines(conn).unwrap();
    assert_eq!(
        found
            .iter()
            .map(|l| (l.priority, l.queue.as_str()))
            .collect::<Vec<_>>(),
        [(3, "b"), (5, "a"), (9, "b")],
        "most urgent first"
    );
}
