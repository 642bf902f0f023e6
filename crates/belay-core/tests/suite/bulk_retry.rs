//! The walk of `retry_jobs`: one new job for each finished one that can be retried, and none twice.

use belay_core::JobState;
use belay_core::ops::{self, BulkKind, BulkTerms, NewJob, Standing};
use belay_testkit::TestDb;
use diesel::Connection;

use crate::common::{
    Bulk, counts, enqueue, enqueue_n, events, fail_all_of_kind, job, make, me, new_job, run, state,
    stuck, went, with_key,
};

/// Retries that wait, by the job they repeat.
const RETRIED: &str = "select retry_of from belay.job where retry_of is not null order by 1";

#[test]
fn every_failed_job_is_retried_once() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 25);
    fail_all_of_kind(conn, "sleep");
    let completed = make(conn, JobState::Completed).id;
    let cancelled = make(conn, JobState::Cancelled).id;
    let bulk = Bulk::running(conn, BulkKind::Retry, r#"{"kind": "sleep"}"#);
    assert_eq!(bulk.walk(conn, 10), (went(25, 25, true), 3));
    assert_eq!(counts(conn, RETRIED), ids);
    let uid = job(conn, bulk.attempt.job).uid();
    for id in ids {
        assert_eq!(state(conn, id), JobState::Failed);
        let told = events(conn, id);
        assert!(
            told[0].starts_with(&format!(
                "retried failed>failed tester bulk-actions bulk action {uid}"
            )),
            "{told:?}"
        );
    }
    assert_eq!(state(conn, completed), JobState::Completed);
    assert_eq!(state(conn, cancelled), JobState::Cancelled);
    // What failed again after the start is not its business.
    fail_all_of_kind(conn, "sleep");
    bulk.begin(conn);
    assert_eq!(bulk.step(conn, 10), went(25, 25, true));
    assert!(counts(conn, RETRIED).is_empty());
}

#[test]
fn other_ends_are_retried_when_they_are_named() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let [failed, completed, cancelled] =
        [JobState::Failed, JobState::Completed, JobState::Cancelled]
            .map(|state| make(conn, state).id);
    for (payload, expected) in [
        (r#"{"kind": "sleep"}"#, vec![failed]),
        (r#"{"state": "failed"}"#, vec![failed]),
        (r#"{"state": "completed"}"#, vec![completed]),
        (r#"{"state": ["cancelled"]}"#, vec![cancelled]),
        (
            r#"{"state": ["cancelled", "failed"]}"#,
            vec![failed, cancelled],
        ),
        (
            r#"{"state": ["cancelled", "failed", "completed"]}"#,
            vec![failed, completed, cancelled],
        ),
        (r#"{"kind": "noop"}"#, vec![]),
        (r#"{"state": "failed", "queue": "none"}"#, vec![]),
        (
            r#"{"state": "failed", "created_before": "2000-01-01T00:00:00Z"}"#,
            vec![],
        ),
        (
            r#"{"state": "failed", "created_after": "2000-01-01T00:00:00Z"}"#,
            vec![failed],
        ),
    ] {
        run(conn, "begin");
        let bulk = Bulk::running(conn, BulkKind::Retry, payload);
        let preview = belay_core::query::count_bulk(conn, 1, &bulk.filter, None, 1000).unwrap();
        let (last, _) = bulk.walk(conn, 2);
        let n = expected.len() as i64;
        assert_eq!((last.affected, preview), (n, n), "{payload}");
        assert_eq!(counts(conn, RETRIED), expected, "{payload}");
        run(conn, "rollback");
    }
}

#[test]
fn what_cannot_be_retried_is_skipped_and_does_not_use_up_the_limit() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let deleted = enqueue(conn, &new_job());
    let taken = enqueue(conn, &with_key("taken"));
    let twice = enqueue(conn, &with_key("twice"));
    fail_all_of_kind(conn, "sleep");
    let again = enqueue(conn, &with_key("twice"));
    let fine = enqueue_n(conn, &new_job(), 3);
    fail_all_of_kind(conn, "sleep");
    ops::delete_data(conn, None, deleted, &me(), None).unwrap();
    let holder = enqueue(
        conn,
        &NewJob {
            kind: "noop".into(),
            ..with_key("taken")
        },
    );
    let terms = BulkTerms {
        max_limit: 3,
        ..BulkTerms::default()
    };
    let bulk = Bulk::with(conn, BulkKind::Retry, r#"{"kind": "sleep"}"#, &terms);
    bulk.begin(conn);
    // `taken` is skipped, `twice` is retried and holds the key against `again`.
    assert_eq!(bulk.step(conn, 3), went(1, 3, false));
    assert_eq!(bulk.step(conn, 3), went(3, 5, true));
    assert_eq!(counts(conn, RETRIED), [twice, fine[0], fine[1]]);
    for id in [deleted, taken, again, fine[2]] {
        assert_eq!(state(conn, id), JobState::Failed);
    }
    assert_eq!(state(conn, holder), JobState::Queued);
}

#[test]
fn a_kind_that_is_not_known_any_more_is_skipped() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    enqueue(conn, &new_job());
    fail_all_of_kind(conn, "sleep");
    run(
        conn,
        "delete from belay.line where kind = 'sleep'; delete from belay.kind where name = 'sleep'",
    );
    let bulk = Bulk::running(conn, BulkKind::Retry, r#"{"state": "failed"}"#);
    assert_eq!(bulk.walk(conn, 10), (went(0, 0, true), 1));
}

#[test]
fn a_step_that_is_rolled_back_made_no_job_and_a_stale_attempt_makes_none() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 6);
    fail_all_of_kind(conn, "sleep");
    let mut bulk = Bulk::running(conn, BulkKind::Retry, r#"{"kind": "sleep"}"#);
    bulk.begin(conn);
    bulk.step(conn, 2);
    run(conn, "begin");
    assert_eq!(bulk.step(conn, 2), went(4, 4, false));
    run(conn, "rollback");
    let right = bulk.attempt;
    bulk.attempt.fence += 1;
    assert_eq!(bulk.step(conn, 2), stuck(Standing::Gone));
    bulk.attempt = right;
    assert_eq!(counts(conn, RETRIED), ids[..2]);
    ops::suspend(conn, None, right.job, &me(), None).unwrap();
    assert_eq!(bulk.step(conn, 2), stuck(Standing::Held));
    ops::resume(conn, None, right.job, &me(), None).unwrap();
    assert_eq!(bulk.step(conn, 100), went(6, 6, true));
    assert_eq!(counts(conn, RETRIED), ids);
}

#[test]
fn a_selective_filter_looks_at_no_more_than_its_window_in_one_step() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    enqueue_n(conn, &NewJob::new("noop"), 20);
    fail_all_of_kind(conn, "noop");
    let target = make(conn, JobState::Failed).id;
    for payload in [
        r#"{"kind": "sleep"}"#,
        r#"{"kind": "sleep", "state": ["failed", "completed"]}"#,
    ] {
        run(conn, "begin");
        let bulk = Bulk::running(conn, BulkKind::Retry, payload);
        bulk.begin(conn);
        assert_eq!(bulk.step_within(conn, 5, 10), went(0, 0, false));
        assert_eq!(bulk.step_within(conn, 5, 10), went(0, 0, false));
        assert_eq!(bulk.step_within(conn, 5, 10), went(1, 1, true));
        assert_eq!(counts(conn, RETRIED), [target]);
        run(conn, "rollback");
    }
}

#[test]
fn bulk_actions_are_not_repeated() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 3);
    fail_all_of_kind(conn, "sleep");
    // Both would repeat each other for ever, and the second would start again what was stopped.
    for bulk in [BulkKind::Retry, BulkKind::Cancel] {
        let before = Bulk::running(conn, bulk, r#"{"kind": "nothing"}"#);
        conn.transaction(|conn| {
            ops::cancel_one(
                conn,
                None,
                before.attempt.job,
                &me(),
                None,
                ops::CancelLimit::Any,
            )
        })
        .unwrap();
        conn.transaction(|conn| ops::force_cancel(conn, None, before.attempt.job, &me(), None))
            .unwrap();
        assert_eq!(state(conn, before.attempt.job), JobState::Cancelled);
    }
    let filter = r#"{"state": ["failed", "cancelled"]}"#;
    let counted = belay_core::query::preview_bulk(
        conn,
        1,
        &ops::BulkFilter::parse(BulkKind::Retry, filter).unwrap(),
        100,
    );
    assert_eq!(counted.unwrap(), 3);
    let bulk = Bulk::running(conn, BulkKind::Retry, filter);
    assert_eq!(bulk.walk(conn, 10).0, went(3, 3, true));
    assert_eq!(counts(conn, RETRIED), ids);
}
