//! Settle: failures, snoozes and stops, and what they may not do after a cancel.

use belay_core::JobState;
use belay_core::ops::{self, Rung, Settled, Verdict};
use belay_testkit::TestDb;
use chrono::{TimeDelta, Utc};
use diesel::prelude::*;

use crate::common::{
    Made, claim_one, events, facts, fail, fail_for_good, held, job, killed, make, make_from,
    new_with, report, run, snooze,
};

/// Queues and claims a job that waits between attempts.
fn again(conn: &mut PgConnection, made: Made) -> Made {
    run(
        conn,
        &format!(
            "update belay.job set run_at = now() - interval '1 s' where id = {}",
            made.id
        ),
    );
    ops::promote(conn, 100).unwrap();
    let claimed = claim_one(conn, made.worker);
    assert_eq!(claimed.id, made.id);
    Made {
        fence: claimed.fence,
        ..made
    }
}

#[test]
fn a_failure_with_attempts_left_waits_and_the_last_one_ends_the_job() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let mut made = make_from(
        conn,
        JobState::Running,
        new_with(|job| job.max_attempts = Some(3)),
    );
    for attempt in [1, 2] {
        assert_eq!(
            report(conn, made, fail(&format!("error {attempt}"), 100.0)),
            Settled::Now(JobState::Scheduled)
        );
        let waiting = job(conn, made.id);
        assert_eq!((waiting.attempt, waiting.worker), (attempt, None));
        assert_eq!(waiting.last_error, Some(format!("error {attempt}")));
        let wait = waiting.run_at - Utc::now();
        assert!(
            wait > TimeDelta::seconds(40) && wait <= TimeDelta::seconds(100),
            "{wait}"
        );
        made = again(conn, made);
    }
    assert_eq!(
        report(conn, made, fail("error 3", 100.0)),
        Settled::Now(JobState::Failed)
    );
    let ended = job(conn, made.id);
    assert_eq!(
        (ended.state, ended.attempt, ended.worker),
        (JobState::Failed, 3, Some(made.worker))
    );
    assert_eq!(ended.last_error.as_deref(), Some("error 3"));
    assert_eq!(ended.cancel(), None);
    let who = format!("worker {} worker -", made.worker);
    assert_eq!(
        events(conn, made.id),
        [
            format!("attempt_failed running>scheduled {who} {{\"retry_in_s\": 100.0}}"),
            format!("attempt_failed running>scheduled {who} {{\"retry_in_s\": 100.0}}"),
            format!("failed running>failed {who} -"),
        ]
    );
}

#[test]
fn a_failure_that_wants_no_retry_ends_the_job_at_once() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    assert_eq!(
        report(conn, made, fail_for_good("hopeless")),
        Settled::Now(JobState::Failed)
    );
    let ended = job(conn, made.id);
    assert_eq!((ended.attempt, ended.max_attempts), (1, 5));
    assert_eq!(ended.last_error.as_deref(), Some("hopeless"));
}

#[test]
fn a_snooze_gives_the_attempt_back_as_often_as_it_likes() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let mut made = make_from(
        conn,
        JobState::Running,
        new_with(|job| job.max_attempts = Some(1)),
    );
    for round in 1..=10 {
        assert_eq!(
            report(conn, made, snooze(7.0)),
            Settled::Now(JobState::Scheduled)
        );
        let waiting = job(conn, made.id);
        assert_eq!(
            (waiting.attempt, waiting.last_error),
            (0, None),
            "round {round}"
        );
        made = again(conn, made);
        assert_eq!((job(conn, made.id).attempt, made.fence), (1, round + 1));
    }
    assert_eq!(events(conn, made.id).len(), 10);
    assert_eq!(
        events(conn, made.id)[0],
        format!(
            "snoozed running>scheduled worker {} worker - {{\"delay_s\": 7.0}}",
            made.worker
        )
    );
    assert_eq!(
        report(conn, made, fail("no", 0.0)),
        Settled::Now(JobState::Failed)
    );
}

#[test]
fn a_stop_that_nobody_asked_for_gives_the_job_back_at_once() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make_from(
        conn,
        JobState::Running,
        new_with(|job| job.max_attempts = Some(1)),
    );
    assert_eq!(
        report(conn, made, killed("the worker ends")),
        Settled::Now(JobState::Scheduled)
    );
    let waiting = job(conn, made.id);
    assert_eq!(
        (waiting.attempt, waiting.worker, waiting.last_error),
        (0, None, None)
    );
    assert_eq!(
        events(conn, made.id),
        [format!(
            "released running>scheduled worker {} worker - {{\"rung\": \"kill\", \"cause\": \"the worker ends\"}}",
            made.worker
        )]
    );
    assert_eq!(ops::promote(conn, 10).unwrap(), 1, "it is due already");
    assert_eq!(claim_one(conn, made.worker).id, made.id);
}

#[test]
fn whatever_is_reported_of_a_cancelled_job_ends_it_as_cancelled() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for (verdict, rung, detail) in [
        (
            Verdict::Completed,
            "cooperative",
            r#"{"rung": "cooperative", "finished_anyway": "completed"}"#,
        ),
        (
            fail("broken", 1.0),
            "cooperative",
            r#"{"rung": "cooperative", "finished_anyway": "failed"}"#,
        ),
        (
            fail_for_good("broken"),
            "cooperative",
            r#"{"rung": "cooperative", "finished_anyway": "failed"}"#,
        ),
        (
            snooze(1.0),
            "cooperative",
            r#"{"rung": "cooperative", "finished_anyway": "snoozed"}"#,
        ),
        (killed("asked"), "kill", r#"{"rung": "kill"}"#),
        (
            Verdict::Stopped {
                rung: Rung::Term,
                cause: String::new(),
            },
            "term",
            r#"{"rung": "term"}"#,
        ),
        (
            Verdict::Stopped {
                rung: Rung::Cooperative,
                cause: String::new(),
            },
            "cooperative",
            r#"{"rung": "cooperative"}"#,
        ),
    ] {
        let made = make(conn, JobState::Cancelling);
        assert_eq!(
            report(conn, made, verdict.clone()),
            Settled::Now(JobState::Cancelled),
            "{verdict:?}"
        );
        let ended = job(conn, made.id);
        assert_eq!(ended.state, JobState::Cancelled);
        assert_eq!(
            ended.cancel().unwrap().rung.as_deref(),
            Some(rung),
            "{verdict:?}"
        );
        assert_eq!(
            ended.last_error, None,
            "a failure after the cancel is no outcome"
        );
        assert_eq!(
            events(conn, made.id)[1],
            format!(
                "cancelled cancelling>cancelled worker {} worker made so {detail}",
                made.worker
            )
        );
        // Reported again it is stale.
        let before = facts(conn, made.id);
        assert_eq!(report(conn, made, verdict), Settled::Stale);
        assert_eq!(facts(conn, made.id), before);
    }
}

#[test]
fn a_report_on_a_suspended_job_is_held_back() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Suspended);
    let before = facts(conn, made.id);
    for verdict in [
        Verdict::Completed,
        fail("no", 0.0),
        fail_for_good("no"),
        snooze(1.0),
        killed("x"),
    ] {
        assert_eq!(report(conn, made, verdict), Settled::Held);
        assert_eq!(facts(conn, made.id), before);
    }
}
