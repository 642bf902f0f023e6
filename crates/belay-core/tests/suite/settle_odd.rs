//! Settle: reports that do not fit, come twice, or hold what cannot be stored. Each spoils nothing but itself.

use belay_core::JobState;
use belay_core::ops::{self, Report, Settled, Verdict};
use belay_testkit::TestDb;
use chrono::Utc;
use diesel::prelude::*;

use crate::common::{
    Made, claim, claim_one, enqueue, enqueue_n, facts, fail, fail_for_good, held, job, killed,
    make, new_job, register, report, run, snooze, state,
};

#[test]
fn a_report_that_does_not_fit_is_stale_and_changes_nothing() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    let other = register(conn);
    let before = facts(conn, made.id);
    for wrong in [
        Made {
            fence: made.fence - 1,
            ..made
        },
        Made {
            fence: made.fence + 1,
            ..made
        },
        Made {
            worker: other,
            ..made
        },
        Made {
            id: made.id + 1000,
            ..made
        },
    ] {
        for verdict in [
            Verdict::Completed,
            fail("no", 0.0),
            fail_for_good("no"),
            snooze(1.0),
            killed("x"),
        ] {
            assert_eq!(report(conn, wrong, verdict), Settled::Stale);
            assert_eq!(facts(conn, made.id), before);
        }
    }
}

#[test]
fn a_mixed_batch_is_answered_in_order_and_a_second_report_on_a_job_is_stale() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    enqueue_n(conn, &new_job(), 4);
    let jobs = claim(conn, worker, 4);
    let report = |i: usize, verdict| Report {
        id: jobs[i].id,
        fence: jobs[i].fence,
        verdict,
    };
    let reports = [
        report(3, snooze(1.0)),
        report(0, Verdict::Completed),
        Report {
            id: 999_999,
            fence: 1,
            verdict: Verdict::Completed,
        },
        report(1, fail("no", 1.0)),
        report(0, fail_for_good("yes and no")),
        report(2, fail_for_good("no")),
        Report {
            fence: jobs[1].fence + 1,
            ..report(1, Verdict::Completed)
        },
    ];
    let settled = conn
        .transaction(|conn| ops::settle(conn, worker, &reports))
        .unwrap();
    let now = Settled::Now;
    assert_eq!(
        settled,
        [
            now(JobState::Scheduled),
            now(JobState::Completed),
            Settled::Stale,
            now(JobState::Scheduled),
            Settled::Stale,
            now(JobState::Failed),
            Settled::Stale,
        ]
    );
    for (i, expected) in [
        JobState::Completed,
        JobState::Scheduled,
        JobState::Failed,
        JobState::Scheduled,
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(state(conn, jobs[i].id), expected);
    }
    assert_eq!(ops::settle(conn, worker, &[]).unwrap(), []);
}

#[test]
fn an_error_text_is_made_fit_to_store() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    report(conn, made, fail("a\0b", 0.0));
    assert_eq!(job(conn, made.id).last_error.as_deref(), Some("a\u{fffd}b"));
    let made = held(conn);
    report(conn, made, fail_for_good(&"é".repeat(5000)));
    assert_eq!(job(conn, made.id).last_error, Some("é".repeat(4000)));
    let made = make(conn, JobState::Cancelling);
    assert_eq!(
        report(conn, made, fail("a\0b", 0.0)),
        Settled::Now(JobState::Cancelled)
    );
}

/// One odd report must not spoil the batch it came in.
#[test]
fn the_cause_of_a_stop_is_made_fit_to_store() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    let report = Report {
        id: made.id,
        fence: made.fence,
        verdict: killed("a\0b"),
    };
    let settled = conn.transaction(|conn| ops::settle(conn, made.worker, &[report]));
    assert!(
        matches!(settled.as_deref(), Ok([Settled::Now(JobState::Scheduled)])),
        "{settled:?}"
    );
}

#[test]
fn an_odd_delay_is_brought_into_range() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let year = 31_536_000.0;
    for (delay, expected) in [
        (-5.0, 0.0),
        (1e300, year),
        (f64::INFINITY, year),
        (f64::NEG_INFINITY, 0.0),
        (f64::NAN, 0.0),
    ] {
        let worker = register(conn);
        let id = enqueue(conn, &new_job());
        let fence = claim_one(conn, worker).fence;
        let report = Report {
            id,
            fence,
            verdict: snooze(delay),
        };
        let settled = conn.transaction(|conn| ops::settle(conn, worker, &[report]));
        assert!(
            matches!(settled.as_deref(), Ok([Settled::Now(JobState::Scheduled)])),
            "{delay}: {settled:?}"
        );
        let wait = (job(conn, id).run_at - Utc::now()).as_seconds_f64();
        assert!(
            (expected - 60.0..=expected).contains(&wait),
            "{delay}: {wait} s"
        );
        run(conn, "delete from belay.job");
    }
}
