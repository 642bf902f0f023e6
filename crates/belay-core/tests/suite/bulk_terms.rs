//! What is kept of a bulk action beside its payload, and what becomes of it when the job is repeated or its data deleted.

use belay_core::ops::{self, BulkKind, BulkTerms, CancelLimit, Standing};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    Bulk, Made, counts, enqueue, enqueue_n, job, me, new_job, on_line, register, report, state,
    stopped, stuck, went,
};

const WAITING: &str =
    "select id from belay.job where cancel_at is null and kind <> 'cancel_jobs' order by id";

fn limited(max_limit: i64) -> BulkTerms {
    BulkTerms {
        max_limit,
        ..BulkTerms::default()
    }
}

#[test]
fn terms_are_checked_and_go_with_the_data_of_the_job() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let bulk = Bulk::running(conn, BulkKind::Cancel, r#"{"kind": "none"}"#);
    for (field, terms) in [
        (
            "reason",
            BulkTerms {
                reason: Some("r".repeat(1001)),
                ..BulkTerms::default()
            },
        ),
        ("max_limit", limited(-1)),
        (
            "action_duration",
            BulkTerms {
                duration: -1,
                ..BulkTerms::default()
            },
        ),
    ] {
        let refused = ops::keep_bulk_action(conn, bulk.attempt.job, &terms, 0);
        assert!(
            matches!(&refused, Err(Error::Invalid { field: said, .. }) if *said == field),
            "{field}: {refused:?}"
        );
    }
    bulk.walk(conn, 10);
    ops::complete(conn, bulk.made.worker, &[(bulk.made.id, bulk.made.fence)]).unwrap();
    let there = "select job from belay.bulk_action";
    assert_eq!(counts(conn, there), [bulk.made.id]);
    ops::delete_data(conn, None, bulk.made.id, &me(), None).unwrap();
    assert!(counts(conn, there).is_empty());
    let untouched = enqueue(conn, &new_job());
    assert_eq!(bulk.step(conn, 10), stuck(Standing::Gone));
    assert_eq!(state(conn, untouched), JobState::Queued);
}

/// A retry by hand of a bulk job: its own job, running.
fn repeated(conn: &mut PgConnection, bulk: &Bulk) -> Bulk {
    let worker = register(conn);
    let id = ops::retry(conn, None, bulk.attempt.job, &me(), None).unwrap();
    let queue = job(conn, id).queue;
    let line = on_line(&queue, "cancel_jobs", 5);
    let claimed = ops::claim(conn, worker, &[line], 1).unwrap();
    assert_eq!(claimed[0].id, id);
    Bulk {
        attempt: ops::BulkAttempt {
            job: id,
            fence: claimed[0].fence,
            worker,
        },
        made: Made {
            id,
            worker,
            fence: claimed[0].fence,
        },
        filter: bulk.filter.clone(),
    }
}

fn stop(conn: &mut PgConnection, bulk: &Bulk) {
    ops::cancel_one(conn, None, bulk.made.id, &me(), None, CancelLimit::Any).unwrap();
    report(conn, bulk.made, stopped());
}

#[test]
fn a_repeated_bulk_job_has_the_limit_of_the_first_and_walks_anew() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    enqueue_n(conn, &new_job(), 20);
    let first = Bulk::with(conn, BulkKind::Cancel, r#"{"kind": "sleep"}"#, &limited(4));
    first.begin(conn);
    first.step(conn, 3);
    stop(conn, &first);
    // This one never began, so nothing is kept of it.
    let second = repeated(conn, &first);
    stop(conn, &second);
    let third = repeated(conn, &second);
    assert_eq!(third.begin(conn).max_limit, 4);
    assert_eq!(third.walk(conn, 3).0, went(4, 4, true));
    assert_eq!(counts(conn, WAITING).len(), 13);
}

#[test]
fn without_the_limit_of_the_first_a_repeated_bulk_job_does_nothing() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    enqueue_n(conn, &new_job(), 5);
    let first = Bulk::with(conn, BulkKind::Cancel, r#"{"kind": "sleep"}"#, &limited(1));
    stop(conn, &first);
    let second = repeated(conn, &first);
    ops::delete_data(conn, None, first.made.id, &me(), None).unwrap();
    assert_eq!(second.try_begin(conn), (Standing::TermsLost, None));
    assert_eq!(second.step(conn, 10), stuck(Standing::Gone));
    assert_eq!(counts(conn, WAITING).len(), 5);
}
