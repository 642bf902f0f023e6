//! Force-cancel: the last rung. The job ends as cancelled at once, it is recorded as forced, and the worker has lost it.

use belay_core::ops::{self, CancelLimit, Forced};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{TENANT, events, facts, job, make, me, report, state, stopped};

fn force(conn: &mut PgConnection, id: i64, reason: Option<&str>) -> Result<Forced, Error> {
    conn.transaction(|conn| ops::force_cancel(conn, Some(TENANT), id, &me(), reason))
}

#[test]
fn a_held_job_ends_at_once_and_its_worker_has_lost_it() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for was in [JobState::Running, JobState::Suspended] {
        let made = make(conn, was);
        let seen = events(conn, made.id).len();
        let forced = force(conn, made.id, Some("it hangs")).unwrap();
        assert_eq!(
            forced,
            Forced {
                was,
                worker: Some(made.worker)
            }
        );
        let ended = job(conn, made.id);
        assert_eq!(ended.state, JobState::Cancelled);
        let mark = ended.cancel().unwrap();
        assert_eq!(mark.rung.as_deref(), Some("forced"));
        assert_eq!(
            (
                mark.reason.as_deref(),
                mark.actor.as_str(),
                mark.interface.as_str()
            ),
            (Some("it hangs"), "tester", "native")
        );
        assert_eq!(
            events(conn, made.id)[seen..],
            [
                format!("cancel_requested {was}>cancelling tester native it hangs -"),
                "cancelled cancelling>cancelled tester native it hangs {\"rung\": \"forced\"}"
                    .into(),
            ]
        );
        let before = facts(conn, made.id);
        assert_eq!(
            ops::lost(conn, made.worker, &[(made.id, made.fence)]).unwrap(),
            [made.id]
        );
        assert_eq!(report(conn, made, stopped()), ops::Settled::Stale);
        assert_eq!(
            ops::complete(conn, made.worker, &[(made.id, made.fence)]).unwrap(),
            []
        );
        assert_eq!(facts(conn, made.id), before);
    }
}

#[test]
fn a_stop_that_is_under_way_keeps_its_first_mark() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Cancelling);
    let first = job(conn, made.id).cancel().unwrap();
    let forced = force(conn, made.id, Some("too slow")).unwrap();
    assert_eq!(forced.was, JobState::Cancelling);
    let mark = job(conn, made.id).cancel().unwrap();
    assert_eq!(
        (mark.at, mark.reason, mark.actor),
        (first.at, first.reason, first.actor)
    );
    assert_eq!(mark.rung.as_deref(), Some("forced"));
    assert_eq!(
        events(conn, made.id),
        [
            "cancel_requested running>cancelling tester native made so -",
            "cancelled cancelling>cancelled tester native too slow {\"rung\": \"forced\"}",
        ]
    );
}

#[test]
fn a_waiting_job_is_simply_cancelled() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for was in [JobState::Open, JobState::Scheduled, JobState::Queued] {
        let made = make(conn, was);
        assert_eq!(
            force(conn, made.id, None).unwrap(),
            Forced { was, worker: None }
        );
        let mark = job(conn, made.id).cancel().unwrap();
        assert_eq!(mark.rung.as_deref(), Some("never_started"));
        assert_eq!(
            events(conn, made.id),
            [format!("cancelled {was}>cancelled tester native - -")]
        );
    }
}

#[test]
fn a_finished_job_refuses_and_an_unknown_one_is_missing() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for was in [JobState::Completed, JobState::Failed, JobState::Cancelled] {
        let made = make(conn, was);
        let before = facts(conn, made.id);
        let refused = force(conn, made.id, None);
        assert!(
            matches!(&refused, Err(Error::Refused { state: Some(s), message }) if *s == was && message.contains(was.as_str())),
            "{refused:?}"
        );
        assert_eq!(facts(conn, made.id), before);
    }
    assert!(matches!(
        force(conn, 999_999, None),
        Err(Error::Missing { .. })
    ));
    let (other, _) = ops::create_tenant(conn, "other").unwrap();
    let made = make(conn, JobState::Running);
    let foreign =
        conn.transaction(|conn| ops::force_cancel(conn, Some(other), made.id, &me(), None));
    assert!(matches!(foreign, Err(Error::Missing { .. })), "{foreign:?}");
    assert_eq!(state(conn, made.id), JobState::Running);
}

#[test]
fn nothing_happens_when_the_transaction_rolls_back() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Running);
    let before = facts(conn, made.id);
    let error = conn
        .transaction(|conn| {
            ops::force_cancel(conn, None, made.id, &me(), None)?;
            Err::<(), Error>(Error::missing("anything"))
        })
        .unwrap_err();
    assert!(matches!(error, Error::Missing { .. }));
    assert_eq!(facts(conn, made.id), before);
    let answer = ops::cancel_one(conn, None, made.id, &me(), None, CancelLimit::Any).unwrap();
    assert_eq!(answer.outcome, ops::Outcome::Cancelling);
}
