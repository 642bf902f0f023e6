//! Schedule: what may be moved, what is written of it, and who wins.

use belay_core::ops::{self, Actor, CancelLimit, Outcome, Via};
use belay_core::{Error, JobState, Result};
use belay_testkit::TestDb;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use diesel::prelude::*;

use crate::common::{
    TENANT, claim_one, events, facts, fail, job, make, make_from, me, new_job, overtaken, refused,
    register, report, run,
};

fn to(conn: &mut PgConnection, id: i64, at: Option<DateTime<Utc>>) -> Result<JobState> {
    conn.transaction(|conn| ops::schedule(conn, Some(TENANT), id, at, &me()))
}

fn tomorrow() -> DateTime<Utc> {
    (Utc::now() + TimeDelta::days(1)).trunc_subsecs(6)
}

#[test]
fn a_scheduled_job_gets_another_time_and_the_record_says_which() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = make(conn, JobState::Scheduled).id;
    let (before, at) = (job(conn, id).run_at, tomorrow());
    assert_eq!(to(conn, id, Some(at)).unwrap(), JobState::Scheduled);
    assert_eq!(job(conn, id).run_at, at);
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    assert_eq!(
        events(conn, id),
        [format!(
            "rescheduled scheduled>scheduled tester native - {{\"run_at\": \"{}\", \"run_at_before\": \"{}\"}}",
            text(at),
            text(before)
        )]
    );
    let once = facts(conn, id);
    assert_eq!(to(conn, id, Some(at)).unwrap(), JobState::Scheduled);
    assert_eq!(facts(conn, id), once, "a repeat changes nothing");
}

#[test]
fn without_a_time_or_with_one_in_the_past_it_joins_its_line() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for at in [None, Some(Utc::now() - TimeDelta::days(400))] {
        let id = make(conn, JobState::Scheduled).id;
        assert_eq!(to(conn, id, at).unwrap(), JobState::Queued);
        let now = job(conn, id);
        assert_eq!(now.state, JobState::Queued);
        assert!(
            now.run_at >= now.created_at,
            "{at:?}: from now, not from then"
        );
        let record = events(conn, id);
        assert!(
            record[0].starts_with("rescheduled scheduled>queued tester native"),
            "{record:?}"
        );
        let once = facts(conn, id);
        assert_eq!(to(conn, id, at).unwrap(), JobState::Queued);
        assert_eq!(facts(conn, id), once, "a repeat changes nothing");
    }
}

#[test]
fn an_open_job_keeps_the_time_for_its_close() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (later, now) = (make(conn, JobState::Open).id, make(conn, JobState::Open).id);
    assert_eq!(to(conn, later, Some(tomorrow())).unwrap(), JobState::Open);
    assert_eq!(to(conn, now, Some(tomorrow())).unwrap(), JobState::Open);
    assert_eq!(to(conn, now, None).unwrap(), JobState::Open);
    let mut close = |id| ops::close(conn, None, id, &me()).unwrap();
    assert_eq!(
        (close(later), close(now)),
        (JobState::Scheduled, JobState::Queued)
    );
}

#[test]
fn a_queued_job_cannot_be_put_off_not_even_past_this_operation() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = make(conn, JobState::Queued).id;
    let before = facts(conn, id);
    let refusal = to(conn, id, Some(tomorrow()));
    assert!(
        matches!(&refusal, Err(Error::Refused { state: Some(JobState::Queued), message }) if message.contains("cannot be put off")),
        "{refusal:?}"
    );
    let by_hand = refused(
        conn,
        &format!("update belay.job set state = 'scheduled', ticket = null where id = {id}"),
    );
    assert_eq!(by_hand.constraint, "job_transition");
    assert_eq!(facts(conn, id), before);
}

#[test]
fn what_started_or_ended_is_left_alone() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let waiting = [JobState::Open, JobState::Scheduled, JobState::Queued];
    let mut ids: Vec<i64> = JobState::ALL
        .into_iter()
        .filter(|state| !waiting.contains(state))
        .map(|state| make(conn, state).id)
        .collect();
    // Between two attempts it is scheduled, and has started all the same.
    let between = make(conn, JobState::Running);
    report(conn, between, fail("oh", 3600.0));
    ids.push(between.id);
    for id in ids {
        let before = facts(conn, id);
        for at in [None, Some(tomorrow())] {
            let refusal = to(conn, id, at);
            assert!(
                matches!(&refusal, Err(Error::Refused { state: Some(_), message }) if message.contains(&format!("job {id}"))),
                "{refusal:?}"
            );
        }
        assert_eq!(facts(conn, id), before);
    }
    assert!(matches!(
        to(conn, 999_999, None),
        Err(Error::Missing { .. })
    ));
    let id = make(conn, JobState::Scheduled).id;
    let other = conn.transaction(|conn| ops::schedule(conn, Some(99), id, None, &me()));
    assert!(
        matches!(other, Err(Error::Missing { .. })),
        "of another tenant"
    );
}

#[test]
fn a_time_that_not_everybody_can_hold_is_refused() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = make(conn, JobState::Scheduled).id;
    let refusal = to(conn, id, DateTime::from_timestamp(253_402_300_800, 0));
    assert!(
        matches!(
            &refusal,
            Err(Error::Invalid {
                field: "run_at",
                ..
            })
        ),
        "{refusal:?}"
    );
}

#[test]
fn what_came_first_wins() {
    let db = TestDb::new();
    // A cancel that was accepted before is not undone.
    let first = &mut db.conn();
    let id = make(first, JobState::Scheduled).id;
    run(first, "begin");
    let cancelled = ops::cancel_one(first, None, id, &me(), None, CancelLimit::Any).unwrap();
    assert_eq!(cancelled.outcome, Outcome::Cancelled);
    let late = overtaken(&db, first, "commit", |conn| to(conn, id, None));
    assert!(
        matches!(
            late,
            Err(Error::Refused {
                state: Some(JobState::Cancelled),
                ..
            })
        ),
        "{late:?}"
    );
    // Two clients name two times: the later one stays, and both are on record.
    let id = make(first, JobState::Scheduled).id;
    let (one, two) = (tomorrow(), tomorrow() + TimeDelta::days(1));
    run(first, "begin");
    ops::schedule(first, None, id, Some(one), &Actor::new("first", Via::Jobs)).unwrap();
    overtaken(&db, first, "commit", |conn| to(conn, id, Some(two))).unwrap();
    assert_eq!(job(first, id).run_at, two);
    let who: Vec<bool> = events(first, id)
        .iter()
        .map(|e| e.contains("first jobs"))
        .collect();
    assert_eq!(who, [true, false]);
}

#[test]
fn what_joins_its_line_is_claimed_by_the_next_claim() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let mut new = new_job();
    new.run_at = Some(tomorrow());
    let id = ops::enqueue(conn, TENANT, &new, None, false, &me())
        .unwrap()
        .id;
    to(conn, id, None).unwrap();
    assert_eq!(claim_one(conn, worker).id, id);
    // And one that waits is not.
    let late = make_from(conn, JobState::Scheduled, new_job()).id;
    to(conn, late, Some(tomorrow())).unwrap();
    assert_eq!(ops::promote(conn, 10).unwrap(), 0);
}
