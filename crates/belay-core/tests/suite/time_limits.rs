//! Time that is over: of an attempt, and of a whole job.

use belay_core::JobState;
use belay_core::ops::{self, NewJob, Rung, Settled, Verdict};
use belay_testkit::TestDb;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::common::{
    Made, TENANT, as_client, claim_one, enqueue, fail, job, make_from, me, new_with, register,
    report, run, snooze, text, texts,
};

fn timed_out(retry: bool) -> Verdict {
    Verdict::TimedOut {
        error: "timed out after 7 s".into(),
        delay_s: 1.0,
        retry,
        rung: Rung::Kill,
    }
}

fn running(conn: &mut PgConnection, change: impl FnOnce(&mut NewJob)) -> Made {
    make_from(conn, JobState::Running, new_with(change))
}

/// Cause and rung in the latest entry of the record.
fn last_detail(conn: &mut PgConnection, id: i64) -> String {
    text(
        conn,
        &format!(
            "select event || ' ' || coalesce(detail ->> 'cause', '-') || ' ' || coalesce(detail ->> 'rung', '-')
             from belay.job_event where job = {id} order by id desc limit 1"
        ),
    )
}

#[test]
fn an_attempt_that_took_too_long_is_tried_again_and_the_record_says_why() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = running(conn, |job| job.max_attempts = Some(2));
    assert_eq!(
        report(conn, made, timed_out(true)),
        Settled::Now(JobState::Scheduled)
    );
    assert_eq!(last_detail(conn, made.id), "attempt_failed timed_out kill");
    assert_eq!(
        job(conn, made.id).last_error.as_deref(),
        Some("timed out after 7 s")
    );
}

#[test]
fn the_last_attempt_that_took_too_long_ends_the_job() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = running(conn, |job| job.max_attempts = Some(1));
    assert_eq!(
        report(conn, made, timed_out(true)),
        Settled::Now(JobState::Failed)
    );
    assert_eq!(last_detail(conn, made.id), "failed timed_out kill");
}

#[test]
fn a_cancel_that_came_first_wins_over_the_timeout() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make_from(conn, JobState::Cancelling, new_with(|_| ()));
    assert_eq!(
        report(conn, made, timed_out(true)),
        Settled::Now(JobState::Cancelled)
    );
    assert_eq!(last_detail(conn, made.id), "cancelled - kill");
}

#[test]
fn nothing_is_tried_again_when_no_time_is_left_for_it() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = running(conn, |job| job.job_timeout_s = Some(60));
    assert_eq!(
        report(conn, made, fail("busy", 61.0)),
        Settled::Now(JobState::Failed)
    );
    assert_eq!(last_detail(conn, made.id), "failed no_time_left -");
    assert_eq!(job(conn, made.id).last_error.as_deref(), Some("busy"));

    let made = running(conn, |job| job.job_timeout_s = Some(60));
    assert_eq!(
        report(conn, made, fail("busy", 10.0)),
        Settled::Now(JobState::Scheduled)
    );
    let made = running(conn, |job| job.job_timeout_s = Some(60));
    assert_eq!(
        report(conn, made, timed_out(false)),
        Settled::Now(JobState::Failed),
        "the time of the job is over"
    );
}

#[test]
fn the_time_of_a_job_runs_from_its_first_start() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = running(conn, |job| job.job_timeout_s = Some(100));
    assert_eq!(
        report(conn, made, snooze(0.001)),
        Settled::Now(JobState::Scheduled)
    );
    run(conn, "select pg_sleep(0.01)");
    ops::promote(conn, 10).unwrap();
    let again = claim_one(conn, made.worker);
    assert_eq!(again.id, made.id);
    let left = again.left_s.unwrap();
    assert!(left < 100.0 && left > 70.0, "{left}");

    let id = enqueue(conn, &new_with(|_| ()));
    let free = claim_one(conn, made.worker);
    assert_eq!((free.id, free.left_s), (id, None));
}

#[test]
fn every_way_to_enqueue_takes_it_and_a_retry_keeps_it() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let limited = new_with(|job| job.job_timeout_s = Some(77));
    let with_key = new_with(|job| {
        job.job_timeout_s = Some(77);
        job.unique_key = Some("k".into());
    });
    enqueue(conn, &limited);
    enqueue(conn, &with_key);
    ops::enqueue_many(conn, TENANT, &[limited], &me()).unwrap();
    let client = &mut as_client(&db);
    run(client, "select belay.enqueue('sleep', job_timeout_s => 77)");
    run(
        client,
        r#"select belay.enqueue_many('[{"kind": "sleep", "job_timeout_s": 77}]')"#,
    );
    assert_eq!(
        texts(
            conn,
            "select job_timeout_s::text from belay.job order by id"
        ),
        ["77"; 5]
    );
    let worker = register(conn);
    let claimed = claim_one(conn, worker);
    ops::complete(conn, worker, &[(claimed.id, claimed.fence)]).unwrap();
    assert_eq!(job(conn, claimed.id).job_timeout_s, Some(77));
    let retried = ops::retry(conn, None, claimed.id, &me(), None).unwrap();
    assert_eq!(job(conn, retried).job_timeout_s, Some(77));
}

#[test]
fn a_cancelled_job_keeps_it_and_a_wrong_one_is_refused() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make_from(
        conn,
        JobState::Cancelled,
        new_with(|job| job.job_timeout_s = Some(5)),
    );
    assert_eq!(job(conn, made.id).job_timeout_s, Some(5));
    for wrong in [0, -1, 31_536_001] {
        let job = new_with(|job| job.job_timeout_s = Some(wrong));
        let error = ops::enqueue(conn, TENANT, &job, None, false, &me()).unwrap_err();
        assert!(error.to_string().contains("job_timeout_s"), "{error}");
        let sql = format!("select belay.enqueue('sleep', job_timeout_s => {wrong})");
        let error = as_client(&db).batch_execute(&sql).unwrap_err();
        assert!(error.to_string().contains("job_timeout_s is"), "{error}");
    }
}
