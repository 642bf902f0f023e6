//! The walk of `cancel_jobs`: what it reaches, what it leaves alone, and that it can be left and taken up anywhere.

use belay_core::JobState;
use belay_core::ops::{self, BulkKind, BulkTerms, CancelLimit, NewJob, Standing};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    Bulk, TENANT, claim_from, counts, enqueue, enqueue_n, events, in_an_hour, in_another_tenant,
    make, me, new_job, register, run, state, stuck, went,
};

const WAITING: &str =
    "select id from belay.job where cancel_at is null and kind <> 'cancel_jobs' order by id";
const KEPT: &str =
    "select array[walk_id, affected_count, done_count]::text from belay.bulk_action where job = ";

fn limited(max_limit: i64) -> BulkTerms {
    BulkTerms {
        max_limit,
        ..BulkTerms::default()
    }
}

fn kept(conn: &mut PgConnection, bulk: &Bulk) -> String {
    crate::common::text(conn, &format!("{KEPT}{}", bulk.attempt.job))
}

#[test]
fn a_walk_reaches_every_job_once_and_not_itself() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 25);
    let bulk = Bulk::running(
        conn,
        BulkKind::Cancel,
        r#"{"state": ["queued", "running", "scheduled"]}"#,
    );
    let walk = bulk.begin(conn);
    assert_eq!(
        (walk.walk_id, walk.last_id, walk.total),
        (0, bulk.attempt.job, None)
    );
    assert_eq!(bulk.step(conn, 10), went(10, 10, false));
    assert_eq!(bulk.step(conn, 10), went(20, 20, false));
    assert_eq!(bulk.step(conn, 10), went(25, 25, true));
    assert_eq!(state(conn, bulk.attempt.job), JobState::Running);
    let uid = crate::common::job(conn, bulk.attempt.job).uid();
    for id in ids {
        assert_eq!(
            events(conn, id),
            [format!(
                "cancelled queued>cancelled tester bulk-actions bulk action {uid} -"
            )]
        );
    }
}

#[test]
fn a_walk_over_nothing_is_over_at_once() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let bulk = Bulk::running(conn, BulkKind::Cancel, r#"{"queue": "empty"}"#);
    assert_eq!(bulk.walk(conn, 10), (went(0, 0, true), 1));
    // Whoever asks again is told so again.
    assert_eq!(bulk.step(conn, 10), went(0, 0, true));
}

#[test]
fn the_reason_and_the_name_of_who_asked_go_on_record() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = enqueue(conn, &new_job());
    let terms = BulkTerms {
        reason: Some("called off".into()),
        ..BulkTerms::default()
    };
    let bulk = Bulk::with(conn, BulkKind::Cancel, r#"{"kind": "sleep"}"#, &terms);
    bulk.walk(conn, 10);
    assert_eq!(
        events(conn, id),
        ["cancelled queued>cancelled tester bulk-actions called off -"]
    );
}

#[test]
fn every_unfinished_state_is_acted_on_as_a_cancel_would() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = JobState::ALL.map(|state| (state, make(conn, state).id));
    let bulk = Bulk::running(conn, BulkKind::Cancel, r#"{"kind": "sleep"}"#);
    assert_eq!(bulk.walk(conn, 100), (went(5, 5, true), 1));
    for (was, id) in made {
        let expected = match was {
            JobState::Open | JobState::Scheduled | JobState::Queued => JobState::Cancelled,
            JobState::Running | JobState::Suspended => JobState::Cancelling,
            other => other,
        };
        assert_eq!(state(conn, id), expected, "{was}");
    }
}

#[test]
fn all_members_of_the_filter_count_together() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let of = |queue: &str, kind: &str| NewJob {
        queue: Some(queue.into()),
        ..NewJob::new(kind)
    };
    let here = enqueue(conn, &of("a", "sleep"));
    assert_eq!(claim_from(conn, worker, "a", 1)[0].id, here);
    let waiting = enqueue(conn, &of("a", "sleep"));
    let later = enqueue(
        conn,
        &NewJob {
            run_at: in_an_hour(),
            ..of("a", "sleep")
        },
    );
    let other_kind = enqueue(conn, &of("a", "noop"));
    let other_queue = enqueue(conn, &of("b", "sleep"));
    let old = enqueue(conn, &of("c", "sleep"));
    run(
        conn,
        &format!(
            "alter table belay.job disable trigger user;
             update belay.job set created_at = '2026-01-01T00:00:00Z' where id = {old};
             alter table belay.job enable trigger user"
        ),
    );
    let everything = [here, waiting, later, other_kind, other_queue, old];
    for (payload, expected) in [
        (
            r#"{"queue": "a", "kind": "sleep", "state": "queued"}"#,
            vec![waiting],
        ),
        (r#"{"queue": "a", "state": "running"}"#, vec![here]),
        (
            r#"{"queue": "a", "state": ["running", "scheduled"]}"#,
            vec![here, later],
        ),
        (r#"{"kind": "noop"}"#, vec![other_kind]),
        (r#"{"queue": "b"}"#, vec![other_queue]),
        (r#"{"queue": "d"}"#, vec![]),
        (r#"{"created_before": "2026-01-01T00:00:00Z"}"#, vec![]),
        (
            r#"{"created_before": "2026-01-01T00:00:00.001Z"}"#,
            vec![old],
        ),
        (
            r#"{"created_after": "2026-01-01T00:00:00Z", "kind": "sleep", "queue": "c"}"#,
            vec![old],
        ),
        (
            r#"{"created_after": "2026-01-01T00:00:00.001Z", "state": "queued"}"#,
            vec![waiting, other_kind, other_queue],
        ),
        (
            r#"{"created_after": "2000-01-01T00:00:00Z"}"#,
            everything.to_vec(),
        ),
    ] {
        run(conn, "begin");
        let bulk = Bulk::running(conn, BulkKind::Cancel, payload);
        let preview =
            belay_core::query::count_bulk(conn, TENANT, &bulk.filter, None, 1000).unwrap();
        let walk = bulk.begin(conn);
        let own = bulk.attempt.job;
        let before =
            belay_core::query::count_bulk(conn, TENANT, &bulk.filter, Some((&walk, own)), 1000);
        let (last, _) = bulk.walk(conn, 2);
        let left: Vec<i64> = everything
            .iter()
            .copied()
            .filter(|id| !expected.contains(id))
            .collect();
        assert_eq!(counts(conn, WAITING), left, "{payload}");
        let n = i64::try_from(expected.len()).unwrap();
        assert_eq!((last.affected, before.unwrap()), (n, n), "{payload}");
        // The preview is counted before the job is made; here it is there and may count itself.
        assert!((n..=n + 1).contains(&preview), "{payload}: {preview}");
        run(conn, "rollback");
    }
}

#[test]
fn jobs_made_after_the_start_and_jobs_of_others_are_left_alone() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let theirs = in_another_tenant(conn, &new_job());
    enqueue_n(conn, &new_job(), 3);
    let bulk = Bulk::running(conn, BulkKind::Cancel, r#"{"kind": "sleep"}"#);
    bulk.begin(conn);
    let late = enqueue_n(conn, &new_job(), 3);
    assert_eq!(bulk.step(conn, 100), went(3, 3, true));
    // A second attempt does not look further either.
    bulk.begin(conn);
    assert_eq!(bulk.step(conn, 100), went(3, 3, true));
    let mut left = vec![theirs];
    left.extend(late);
    assert_eq!(counts(conn, WAITING), left);
}

#[test]
fn a_limit_is_kept_to_the_job() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for (limit, chunk) in [(7, 3), (6, 3), (7, 100), (1, 1), (25, 10)] {
        run(conn, "begin");
        enqueue_n(conn, &new_job(), 20);
        let bulk = Bulk::with(
            conn,
            BulkKind::Cancel,
            r#"{"kind": "sleep"}"#,
            &limited(limit),
        );
        let (last, _) = bulk.walk(conn, chunk);
        let expected = limit.min(20);
        assert_eq!(last, went(expected, expected, true), "{limit} by {chunk}");
        assert_eq!(counts(conn, WAITING).len() as i64, 20 - expected);
        run(conn, "rollback");
    }
}

#[test]
fn jobs_that_are_gone_when_their_turn_comes_do_not_use_up_the_limit() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 10);
    let bulk = Bulk::with(conn, BulkKind::Cancel, r#"{"kind": "sleep"}"#, &limited(5));
    bulk.begin(conn);
    ops::cancel_many(conn, None, &ids[..5], &me(), None, CancelLimit::Any).unwrap();
    assert_eq!(bulk.step(conn, 100), went(5, 5, true));
    assert!(counts(conn, WAITING).is_empty());
}

#[test]
fn a_selective_filter_looks_at_no_more_than_its_window_in_one_step() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let others = enqueue_n(conn, &NewJob::new("noop"), 30);
    let target = enqueue(conn, &new_job());
    let bulk = Bulk::running(conn, BulkKind::Cancel, r#"{"kind": "sleep"}"#);
    bulk.begin(conn);
    for n in 1..=3 {
        assert_eq!(bulk.step_within(conn, 5, 10), went(0, 0, false));
        assert_eq!(kept(conn, &bulk), format!("{{{},0,0}}", others[n * 10 - 1]));
    }
    assert_eq!(bulk.step_within(conn, 5, 10), went(1, 1, true));
    assert_eq!(state(conn, target), JobState::Cancelled);
}

#[test]
fn a_step_that_is_rolled_back_never_was() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 10);
    let bulk = Bulk::running(conn, BulkKind::Cancel, r#"{"kind": "sleep"}"#);
    bulk.begin(conn);
    bulk.step(conn, 4);
    let before = kept(conn, &bulk);
    run(conn, "begin");
    assert_eq!(bulk.step(conn, 4), went(8, 8, false));
    run(conn, "rollback");
    assert_eq!(kept(conn, &bulk), before);
    assert_eq!(counts(conn, WAITING), ids[4..]);
    assert_eq!(bulk.step(conn, 100), went(10, 10, true));
    assert!(ids.into_iter().all(|id| events(conn, id).len() == 1));
}

#[test]
fn only_the_attempt_that_holds_the_job_may_act() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 3);
    let mut bulk = Bulk::running(conn, BulkKind::Cancel, r#"{"kind": "sleep"}"#);
    bulk.begin(conn);
    let right = bulk.attempt;
    for wrong in [
        ops::BulkAttempt {
            fence: right.fence - 1,
            ..right
        },
        ops::BulkAttempt {
            fence: right.fence + 1,
            ..right
        },
        ops::BulkAttempt {
            worker: right.worker + 1,
            ..right
        },
        ops::BulkAttempt {
            job: right.job + 1,
            ..right
        },
    ] {
        bulk.attempt = wrong;
        assert_eq!(bulk.step(conn, 10), stuck(Standing::Gone), "{wrong:?}");
        assert_eq!(bulk.try_begin(conn), (Standing::Gone, None), "{wrong:?}");
    }
    assert_eq!(counts(conn, WAITING), ids);
    bulk.attempt = right;
    assert_eq!(bulk.step(conn, 10), went(3, 3, true));
}

#[test]
fn a_bulk_job_that_is_cancelled_or_suspended_does_nothing_more() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = enqueue_n(conn, &new_job(), 10);
    let bulk = Bulk::running(conn, BulkKind::Cancel, r#"{"kind": "sleep"}"#);
    let own = bulk.attempt.job;
    bulk.begin(conn);
    bulk.step(conn, 2);
    ops::suspend(conn, None, own, &me(), None).unwrap();
    assert_eq!(bulk.step(conn, 2), stuck(Standing::Held));
    assert_eq!(bulk.try_begin(conn), (Standing::Held, None));
    ops::resume(conn, None, own, &me(), None).unwrap();
    assert_eq!(bulk.step(conn, 2), went(4, 4, false));
    ops::cancel_one(conn, None, own, &me(), None, CancelLimit::Any).unwrap();
    assert_eq!(bulk.step(conn, 2), stuck(Standing::Gone));
    assert_eq!(kept(conn, &bulk), format!("{{{},4,4}}", ids[3]));
    assert_eq!(counts(conn, WAITING), ids[4..]);
}
