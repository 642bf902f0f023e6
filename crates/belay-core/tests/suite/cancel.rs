//! Cancel of one job: what each state answers, what is recorded, and what a caller may rule out.

use belay_core::ops::{self, Actor, CancelAnswer, CancelLimit, Outcome, Via};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    Made, TENANT, claim, enqueue, events, facts, fail, in_an_hour, job, make, me, new_job,
    new_with, report, run, snooze, state, stopped, text,
};

#[track_caller]
fn cancel(
    conn: &mut PgConnection,
    id: i64,
    reason: Option<&str>,
    limit: CancelLimit,
) -> CancelAnswer {
    ops::cancel_one(conn, Some(TENANT), id, &me(), reason, limit).unwrap()
}

/// State, and what a cancel of a job in it answers: outcome, state afterwards, whether it ever ran.
const ANSWERS: [(JobState, Outcome, JobState, bool); 9] = [
    (
        JobState::Open,
        Outcome::Cancelled,
        JobState::Cancelled,
        false,
    ),
    (
        JobState::Scheduled,
        Outcome::Cancelled,
        JobState::Cancelled,
        false,
    ),
    (
        JobState::Queued,
        Outcome::Cancelled,
        JobState::Cancelled,
        false,
    ),
    (
        JobState::Running,
        Outcome::Cancelling,
        JobState::Cancelling,
        true,
    ),
    (
        JobState::Suspended,
        Outcome::Cancelling,
        JobState::Cancelling,
        true,
    ),
    (
        JobState::Cancelling,
        Outcome::Already,
        JobState::Cancelling,
        true,
    ),
    (
        JobState::Cancelled,
        Outcome::Already,
        JobState::Cancelled,
        true,
    ),
    (
        JobState::Completed,
        Outcome::Refused,
        JobState::Completed,
        true,
    ),
    (JobState::Failed, Outcome::Refused, JobState::Failed, true),
];

#[test]
fn every_state_has_its_answer() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for (was, outcome, now, started) in ANSWERS {
        let made = make(conn, was);
        let before = facts(conn, made.id);
        let answer = cancel(conn, made.id, Some("enough"), CancelLimit::Any);
        let expected = CancelAnswer {
            id: made.id,
            was: Some(was),
            state: Some(now),
            outcome,
            started,
            repeat: false,
        };
        assert_eq!(answer, expected);
        assert_eq!(state(conn, made.id), now, "{was}");
        if !outcome.is_accepted() {
            assert_eq!(facts(conn, made.id), before, "{was}");
        }
    }
    let answer = cancel(conn, 999_999, None, CancelLimit::Any);
    assert_eq!(
        (answer.outcome, answer.was, answer.state),
        (Outcome::Missing, None, None)
    );
}

#[test]
fn the_mark_and_the_record_say_who_when_why_and_through_what() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let by = Actor::new("ann", Via::BulkActions);
    for (was, now, event, rung) in [
        (
            JobState::Queued,
            JobState::Cancelled,
            "cancelled",
            Some("never_started"),
        ),
        (
            JobState::Running,
            JobState::Cancelling,
            "cancel_requested",
            None,
        ),
    ] {
        let made = make(conn, was);
        run(conn, "begin");
        ops::cancel_one(
            conn,
            None,
            made.id,
            &by,
            Some("wrong é file"),
            CancelLimit::Any,
        )
        .unwrap();
        let now_in_transaction = text(conn, "select now()::text");
        run(conn, "commit");
        let mark = job(conn, made.id).cancel().unwrap();
        assert_eq!(
            (mark.actor.as_str(), mark.interface.as_str()),
            ("ann", "bulk-actions")
        );
        assert_eq!(
            (mark.reason.as_deref(), mark.rung.as_deref()),
            (Some("wrong é file"), rung)
        );
        let at = text(
            conn,
            &format!(
                "select cancel_at::text from (select id, cancel_at from belay.job union all select id, cancel_at from belay.job_done) x where id = {}",
                made.id
            ),
        );
        assert!(
            at >= now_in_transaction,
            "{at} is before {now_in_transaction}"
        );
        assert_eq!(
            events(conn, made.id),
            [format!(
                "{event} {was}>{now} ann bulk-actions wrong é file -"
            )]
        );
    }
}

#[test]
fn a_repeated_cancel_changes_nothing_of_the_first() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for was in [JobState::Queued, JobState::Running] {
        let made = make(conn, was);
        cancel(conn, made.id, Some("first"), CancelLimit::Any);
        let before = facts(conn, made.id);
        let other = Actor::new("somebody else", Via::Cli);
        for reason in [Some("second"), None, Some("")] {
            let again =
                ops::cancel_one(conn, None, made.id, &other, reason, CancelLimit::Any).unwrap();
            assert_eq!(again.outcome, Outcome::Already);
            assert_eq!(facts(conn, made.id), before);
        }
        report(conn, made, stopped());
        let mark = job(conn, made.id).cancel().unwrap();
        assert_eq!(
            (mark.reason.as_deref(), mark.actor.as_str()),
            (Some("first"), "tester")
        );
        let answer = cancel(conn, made.id, Some("third"), CancelLimit::Any);
        assert_eq!(
            (answer.outcome, answer.state),
            (Outcome::Already, Some(JobState::Cancelled))
        );
        assert_eq!(job(conn, made.id).cancel().unwrap(), mark);
    }
}

#[test]
fn a_limit_refuses_what_it_rules_out_and_changes_nothing() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let waiting_again = |conn: &mut PgConnection| {
        let made = make(conn, JobState::Running);
        report(conn, made, fail("no", 60.0));
        made
    };
    // A snooze gives the attempt back, but the job has run.
    let snoozed = |conn: &mut PgConnection| {
        let made = make(conn, JobState::Running);
        report(conn, made, snooze(60.0));
        made
    };
    for limit in [CancelLimit::Waiting, CancelLimit::NeverStarted] {
        let again = match limit {
            CancelLimit::Waiting => Outcome::Cancelled,
            _ => Outcome::Refused,
        };
        let mut cases: Vec<(Made, Outcome)> = Vec::new();
        for (was, any, _, _) in ANSWERS {
            let outcome = match any {
                Outcome::Cancelling => Outcome::Refused,
                other => other,
            };
            cases.push((make(conn, was), outcome));
        }
        cases.push((waiting_again(conn), again));
        cases.push((snoozed(conn), again));
        for (made, outcome) in cases {
            let was = state(conn, made.id);
            let before = facts(conn, made.id);
            let answer = cancel(conn, made.id, None, limit);
            assert_eq!(answer.outcome, outcome, "{limit:?}, {was}");
            assert_eq!(answer.was, Some(was));
            if !outcome.is_accepted() {
                assert_eq!(answer.state, Some(was));
                assert_eq!(facts(conn, made.id), before, "{limit:?}, {was}");
            }
        }
    }
}

#[test]
fn the_answer_says_whether_the_job_ever_ran() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Running);
    report(conn, made, fail("no", 60.0));
    let answer = cancel(conn, made.id, None, CancelLimit::Any);
    assert_eq!(
        (answer.was, answer.outcome),
        (Some(JobState::Scheduled), Outcome::Cancelled)
    );
    assert!(answer.started);
    assert!(cancel(conn, made.id, None, CancelLimit::Any).started);
    let made = make(conn, JobState::Queued);
    cancel(conn, made.id, None, CancelLimit::Any);
    assert!(!cancel(conn, made.id, None, CancelLimit::Any).started);
}

#[test]
fn a_cancelled_job_is_never_claimed_promoted_or_rescued() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let ids = [
        enqueue(conn, &new_job()),
        enqueue(conn, &new_with(|job| job.run_at = in_an_hour())),
        make(conn, JobState::Open).id,
    ];
    for id in ids {
        assert_eq!(
            cancel(conn, id, None, CancelLimit::Any).outcome,
            Outcome::Cancelled
        );
    }
    let held = make(conn, JobState::Cancelling);
    let worker = crate::common::register(conn);
    assert_eq!(ops::promote(conn, 100).unwrap(), 0);
    assert_eq!(claim(conn, worker, 100), []);
    ops::stop(conn, held.worker).unwrap();
    let rescued = conn
        .transaction(|conn| ops::rescue(conn, 100, true))
        .unwrap();
    assert_eq!(
        (rescued.queued, rescued.failed, rescued.cancelled),
        (0, 0, 1)
    );
    assert_eq!(claim(conn, worker, 100), []);
}

#[test]
fn a_job_of_another_tenant_is_missing() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (other, _) = ops::create_tenant(conn, "other").unwrap();
    for was in [JobState::Queued, JobState::Running, JobState::Completed] {
        let made = make(conn, was);
        let before = facts(conn, made.id);
        let answer =
            ops::cancel_one(conn, Some(other), made.id, &me(), None, CancelLimit::Any).unwrap();
        assert_eq!(
            (answer.outcome, answer.was, answer.state, answer.started),
            (Outcome::Missing, None, None, false)
        );
        assert_eq!(facts(conn, made.id), before);
    }
}

#[test]
fn a_reason_that_cannot_be_kept_is_refused_before_anything_happens() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Running);
    let before = facts(conn, made.id);
    for reason in ["é".repeat(1001), "a\0b".into()] {
        let answer = ops::cancel_one(conn, None, made.id, &me(), Some(&reason), CancelLimit::Any);
        assert!(
            matches!(
                answer,
                Err(Error::Invalid {
                    field: "reason",
                    ..
                })
            ),
            "{answer:?}"
        );
        assert_eq!(facts(conn, made.id), before);
    }
    let longest = "é".repeat(1000);
    cancel(conn, made.id, Some(&longest), CancelLimit::Any);
    assert_eq!(job(conn, made.id).cancel().unwrap().reason, Some(longest));
}

/// The fence of a cancelled attempt stays, so that the worker's own report still fits.
#[test]
fn the_worker_of_a_cancelled_job_is_told_with_its_heartbeat() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Running);
    let other = make(conn, JobState::Running);
    assert_eq!(ops::signals(conn, made.worker).unwrap(), []);
    cancel(conn, made.id, Some("why"), CancelLimit::Any);
    let told = ops::signals(conn, made.worker).unwrap();
    let wish = ops::SignalState::Cancel {
        reason: Some("why".into()),
    };
    assert!(
        matches!(&told[..], [s] if (s.id, s.fence, &s.state) == (made.id, made.fence, &wish)),
        "{told:?}"
    );
    assert_eq!(ops::signals(conn, other.worker).unwrap(), []);
    report(conn, made, stopped());
    assert_eq!(ops::signals(conn, made.worker).unwrap(), []);
}
