//! Unique keys (one unfinished job at a time) and idempotency keys (one effect per request).

use belay_core::ops::{self, CancelLimit, NewJob};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    Made, TENANT, claim_one, count, enqueue, in_an_hour, job, me, new_job, new_with, pid, register,
    report, run, state, stopped, text, until_blocked, with_key,
};

#[track_caller]
fn ask(conn: &mut PgConnection, job: &NewJob, idempotency: Option<&str>) -> (i64, bool) {
    let made = ops::enqueue(conn, TENANT, job, idempotency, false, &me()).unwrap();
    (made.id, made.existed)
}

#[test]
fn a_unique_key_is_held_in_every_unfinished_state() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for held_in in JobState::ALL.into_iter().filter(|s| !s.is_terminal()) {
        let key = held_in.as_str();
        let made = crate::common::make_from(conn, held_in, with_key(key));
        assert_eq!(
            ask(conn, &with_key(key), None),
            (made.id, true),
            "{held_in}"
        );
        // What the second request says otherwise has no effect.
        let other = NewJob {
            run_at: in_an_hour(),
            priority: Some(1),
            ..with_key(key)
        };
        assert_eq!(ask(conn, &other, None), (made.id, true), "{held_in}");
        assert_eq!(state(conn, made.id), held_in);
    }
}

#[test]
fn a_unique_key_is_free_again_when_its_job_has_ended() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for ended_as in JobState::ALL.into_iter().filter(|s| s.is_terminal()) {
        let key = ended_as.as_str();
        let made = crate::common::make_from(conn, ended_as, with_key(key));
        let (id, existed) = ask(conn, &with_key(key), None);
        assert!(id != made.id && !existed, "{ended_as}");
        assert_eq!(job(conn, made.id).unique_key.as_deref(), Some(key));
    }
    let (waiting, _) = ask(conn, &with_key("w"), None);
    ops::cancel_one(conn, None, waiting, &me(), None, CancelLimit::Any).unwrap();
    assert!(!ask(conn, &with_key("w"), None).1);
}

#[test]
fn a_unique_key_belongs_to_one_tenant() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (other, _) = ops::create_tenant(conn, "other").unwrap();
    let (id, _) = ask(conn, &with_key("k"), None);
    let theirs = ops::enqueue(conn, other, &with_key("k"), None, false, &me()).unwrap();
    assert!(theirs.id != id && !theirs.existed);
}

#[test]
fn two_that_ask_for_a_unique_key_at_once_get_one_job() {
    let db = TestDb::new();
    let (mut first, mut second, mut watcher) = (db.conn(), db.conn(), db.conn());
    run(&mut first, "begin");
    let (id, _) = ask(&mut first, &with_key("k"), None);
    let waiting = pid(&mut second);
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&mut second, &with_key("k"), None));
        until_blocked(&mut watcher, waiting);
        run(&mut first, "commit");
        asked.join().unwrap()
    });
    assert_eq!(answer, (id, true));
    assert_eq!(count(&mut watcher, "select count(*) from belay.job"), 1);
}

#[test]
fn a_unique_key_whose_job_is_ending_is_waited_for() {
    let db = TestDb::new();
    let (mut first, mut second, mut watcher) = (db.conn(), db.conn(), db.conn());
    let (id, _) = ask(&mut first, &with_key("k"), None);
    run(&mut first, "begin");
    ops::cancel_one(&mut first, None, id, &me(), None, CancelLimit::Any).unwrap();
    let waiting = pid(&mut second);
    let (next, existed) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&mut second, &with_key("k"), None));
        until_blocked(&mut watcher, waiting);
        run(&mut first, "commit");
        asked.join().unwrap()
    });
    assert!(next != id && !existed);
}

#[test]
fn an_idempotency_key_gives_one_job_whatever_became_of_it() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (id, existed) = ask(conn, &new_job(), Some("r1"));
    assert!(!existed);
    assert_eq!(ask(conn, &new_job(), Some("r1")), (id, true));
    let worker = register(conn);
    let claimed = claim_one(conn, worker);
    ops::complete(conn, worker, &[(id, claimed.fence)]).unwrap();
    assert_eq!(ask(conn, &new_job(), Some("r1")), (id, true));
    assert_ne!(ask(conn, &new_job(), Some("r2")).0, id);
    let (other, _) = ops::create_tenant(conn, "other").unwrap();
    let theirs = ops::enqueue(conn, other, &new_job(), Some("r1"), false, &me()).unwrap();
    assert!(
        theirs.id != id && !theirs.existed,
        "keys belong to a tenant"
    );
}

#[test]
fn an_idempotency_key_with_another_request_is_a_conflict() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (id, _) = ask(conn, &new_job(), Some("r"));
    let others = [
        new_with(|job| job.kind = "noop".into()),
        NewJob {
            payload: "{\"a\": 1}".into(),
            ..new_job()
        },
        new_with(|job| job.queue = Some("q".into())),
        new_with(|job| job.priority = Some(1)),
        new_with(|job| job.run_at = in_an_hour()),
        new_with(|job| job.max_attempts = Some(2)),
        new_with(|job| job.timeout_s = Some(9)),
        with_key("u"),
    ];
    for other in others {
        let answer = ops::enqueue(conn, TENANT, &other, Some("r"), false, &me());
        assert!(
            matches!(&answer, Err(Error::Conflict { message }) if message.contains("\"r\"")),
            "{other:?}: {answer:?}"
        );
    }
    let open = ops::enqueue(conn, TENANT, &new_job(), Some("r"), true, &me());
    assert!(matches!(open, Err(Error::Conflict { .. })), "{open:?}");
    // The same JSON in other words is the same request.
    let spaced = NewJob {
        payload: " { } ".into(),
        ..new_job()
    };
    assert_eq!(ask(conn, &spaced, Some("r")), (id, true));
    assert_eq!(count(conn, "select count(*) from belay.job"), 1);
}

#[test]
fn a_request_is_the_same_whatever_time_zone_its_session_has() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let later = new_with(|job| job.run_at = in_an_hour());
    run(conn, "set timezone = 'UTC'");
    let (id, _) = ask(conn, &later, Some("r"));
    run(
        conn,
        "set timezone = 'Asia/Tokyo'; set datestyle = 'German'",
    );
    let again = ops::enqueue(conn, TENANT, &later, Some("r"), false, &me());
    assert!(
        matches!(again, Ok(made) if made.id == id && made.existed),
        "{again:?}"
    );
}

#[test]
fn an_idempotency_key_is_kept_for_a_day() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (id, _) = ask(conn, &new_job(), Some("r"));
    let age = |hours: &str| {
        format!("update belay.idempotency set created_at = now() - interval '{hours}'")
    };
    run(conn, &age("23 hours 59 minutes"));
    assert_eq!(ask(conn, &new_job(), Some("r")), (id, true));
    run(conn, &age("24 hours 1 minute"));
    let (next, existed) = ask(conn, &new_job(), Some("r"));
    assert!(next != id && !existed);
    // And is forgotten by a duty afterwards.
    let day = std::time::Duration::from_secs(86_400);
    assert_eq!(ops::forget_idempotency_keys(conn, day).unwrap(), 0);
    run(conn, &age("25 hours"));
    assert_eq!(ops::forget_idempotency_keys(conn, day).unwrap(), 1);
}

#[test]
fn a_wrong_idempotency_key_is_refused() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for key in ["", "k\0", &"k".repeat(256)] {
        let answer = ops::enqueue(conn, TENANT, &new_job(), Some(key), false, &me());
        assert!(
            matches!(
                answer,
                Err(Error::Invalid {
                    field: "Idempotency-Key",
                    ..
                })
            ),
            "{answer:?}"
        );
    }
    ask(conn, &new_job(), Some(&"é".repeat(255)));
    assert_eq!(count(conn, "select count(*) from belay.job"), 1);
}

#[test]
fn both_keys_together_answer_the_job_that_holds_the_unique_one() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (holder, _) = ask(conn, &with_key("u"), None);
    assert_eq!(ask(conn, &with_key("u"), Some("r")), (holder, true));
    let worker = register(conn);
    let claimed = claim_one(conn, worker);
    ops::complete(conn, worker, &[(holder, claimed.fence)]).unwrap();
    // The request was answered with the holder, so its repeat is, although the unique key is free.
    assert_eq!(ask(conn, &with_key("u"), Some("r")), (holder, true));
    assert!(!ask(conn, &with_key("u"), Some("r2")).1);
}

#[test]
fn two_requests_with_one_idempotency_key_at_once_get_one_job() {
    let db = TestDb::new();
    let (mut first, mut second, mut watcher) = (db.conn(), db.conn(), db.conn());
    run(&mut first, "begin");
    let (id, _) = ask(&mut first, &new_job(), Some("r"));
    let waiting = pid(&mut second);
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&mut second, &new_job(), Some("r")));
        until_blocked(&mut watcher, waiting);
        run(&mut first, "commit");
        asked.join().unwrap()
    });
    assert_eq!(answer, (id, true));
    assert_eq!(count(&mut watcher, "select count(*) from belay.job"), 1);
}

#[test]
fn a_request_goes_on_when_the_first_with_its_idempotency_key_rolls_back() {
    let db = TestDb::new();
    let (mut first, mut second, mut watcher) = (db.conn(), db.conn(), db.conn());
    run(&mut first, "begin");
    let (lost, _) = ask(&mut first, &new_job(), Some("r"));
    let waiting = pid(&mut second);
    let (id, existed) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&mut second, &new_job(), Some("r")));
        until_blocked(&mut watcher, waiting);
        run(&mut first, "rollback");
        asked.join().unwrap()
    });
    assert!(id != lost && !existed);
    assert_eq!(
        text(
            &mut watcher,
            "select string_agg(id::text, ',') from belay.job"
        ),
        id.to_string()
    );
    assert_eq!(ask(&mut watcher, &new_job(), Some("r")), (id, true));
}

/// The keys of a cancelled job: the unique one is free at once, also for a job that had to be stopped first.
#[test]
fn a_unique_key_is_held_until_the_work_has_stopped() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let (id, _) = ask(conn, &with_key("k"), None);
    let fence = claim_one(conn, worker).fence;
    ops::cancel_one(conn, None, id, &me(), None, CancelLimit::Any).unwrap();
    assert_eq!(
        ask(conn, &with_key("k"), None),
        (id, true),
        "it may still be running"
    );
    report(conn, Made { id, worker, fence }, stopped());
    let next = enqueue(conn, &with_key("k"));
    assert_ne!(next, id);
}
