//! Whoever waits for a lock decides on what is there when the lock is had, whichever way the other transaction ended.

use belay_core::ops::{self, CancelAnswer, CancelLimit, Outcome};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    claim, enqueue, events, held, make, me, new_job, overtaken, register, run, state,
};

#[track_caller]
fn cancel(conn: &mut PgConnection, id: i64) -> CancelAnswer {
    ops::cancel_one(conn, None, id, &me(), Some("stop"), CancelLimit::Any).unwrap()
}

#[test]
fn a_cancel_that_waited_for_the_rescuer_cancels_what_was_put_back() {
    let db = TestDb::new();
    let (mut rescuer, mut conn) = (db.conn(), db.conn());
    let made = held(&mut conn);
    ops::stop(&mut conn, made.worker).unwrap();
    run(&mut rescuer, "begin");
    assert_eq!(ops::rescue(&mut rescuer, 100, true).unwrap().queued, 1);
    let answer = overtaken(&db, &mut rescuer, "commit", |conn| cancel(conn, made.id));
    assert_eq!(
        (answer.was, answer.outcome),
        (Some(JobState::Queued), Outcome::Cancelled)
    );
    let worker = register(&mut conn);
    assert_eq!(claim(&mut conn, worker, 10), []);
    assert_eq!(state(&mut conn, made.id), JobState::Cancelled);
}

#[test]
fn completion_goes_on_when_the_cancel_it_waited_for_is_taken_back() {
    let db = TestDb::new();
    let mut canceller = db.conn();
    let made = held(&mut canceller);
    run(&mut canceller, "begin");
    cancel(&mut canceller, made.id);
    let reports = [(made.id, made.fence)];
    let answers = overtaken(&db, &mut canceller, "rollback", |conn| {
        ops::complete(conn, made.worker, &reports).unwrap()
    });
    assert_eq!(answers, [(made.id, JobState::Completed)]);
    assert!(events(&mut db.conn(), made.id).is_empty());
}

#[test]
fn a_cancel_that_waited_for_a_claim_stops_what_runs_now() {
    let db = TestDb::new();
    let mut claimer = db.conn();
    let worker = register(&mut claimer);
    for (end, outcome) in [
        ("commit", Outcome::Cancelling),
        ("rollback", Outcome::Cancelled),
    ] {
        let id = enqueue(&mut claimer, &new_job());
        run(&mut claimer, "begin");
        assert_eq!(claim(&mut claimer, worker, 10).len(), 1);
        let answer = overtaken(&db, &mut claimer, end, |conn| cancel(conn, id));
        assert_eq!(answer.outcome, outcome, "after {end}");
        assert_eq!(Some(state(&mut db.conn(), id)), answer.state);
    }
}

#[test]
fn what_waited_for_a_cancel_of_a_waiting_job_is_refused() {
    let db = TestDb::new();
    for (was, what) in [
        (JobState::Open, "closed"),
        (JobState::Scheduled, "started now"),
    ] {
        let mut canceller = db.conn();
        let made = make(&mut canceller, was);
        run(&mut canceller, "begin");
        cancel(&mut canceller, made.id);
        let done = overtaken(&db, &mut canceller, "commit", |conn| {
            conn.transaction(|conn| match was {
                JobState::Open => ops::close(conn, None, made.id, &me()),
                _ => ops::start_now(conn, None, made.id, &me(), None),
            })
        });
        assert!(
            matches!(&done, Err(Error::Refused { state: Some(JobState::Cancelled), message }) if message.contains(what)),
            "{done:?}"
        );
        assert_eq!(state(&mut canceller, made.id), JobState::Cancelled);
    }
}
