//! The timeline: every transition can be read back, once, in order, with who and through what.

use belay_core::id::JobRef;
use belay_core::model::EventRow;
use belay_core::ops::{self, CancelLimit, Verdict};
use belay_core::query;
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    Made, TENANT, claim_one, enqueue, fail, fail_for_good, job, make, me, new_job, register,
    report, run, snooze, stopped,
};

#[track_caller]
fn timeline(conn: &mut PgConnection, id: i64) -> Vec<EventRow> {
    let job = job(conn, id);
    query::timeline(conn, &job).unwrap()
}

/// One line per entry: `event was>state`.
#[track_caller]
fn told(conn: &mut PgConnection, id: i64) -> Vec<String> {
    let word = |state: Option<JobState>| state.map_or("-", JobState::as_str);
    timeline(conn, id)
        .iter()
        .map(|entry| format!("{} {}>{}", entry.event, word(entry.was), word(entry.state)))
        .collect()
}

/// Promotes what is due and claims it.
#[track_caller]
fn again(conn: &mut PgConnection, made: Made) -> Made {
    assert_eq!(ops::promote(conn, 10).unwrap(), 1);
    let claimed = claim_one(conn, made.worker);
    Made {
        fence: claimed.fence,
        ..made
    }
}

#[test]
fn an_ordinary_life_is_told_by_the_columns_alone() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Completed);
    let stored = job(conn, made.id);
    let entries = timeline(conn, made.id);
    assert_eq!(
        told(conn, made.id),
        [
            "created ->-",
            "claimed queued>running",
            "completed running>completed"
        ]
    );
    let times: Vec<_> = entries.iter().map(|entry| Some(entry.at)).collect();
    assert_eq!(
        times,
        [
            Some(stored.created_at),
            stored.started_at,
            stored.finished_at
        ]
    );
    let attempts: Vec<_> = entries.iter().map(|entry| entry.attempt).collect();
    assert_eq!(attempts, [0, 1, 1]);
    assert_eq!(
        (entries[0].actor.as_str(), entries[0].via.as_str()),
        ("tester", "native")
    );
    for entry in &entries[1..] {
        assert_eq!(entry.actor, format!("worker {}", made.worker));
        assert_eq!(
            (entry.via.as_str(), entry.worker),
            ("worker", Some(made.worker))
        );
    }
}

#[test]
fn each_way_to_end_is_told_once() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Running);
    report(conn, made, fail_for_good("no"));
    let failed = [
        "created ->-",
        "claimed queued>running",
        "failed running>failed",
    ];
    assert_eq!(told(conn, made.id), failed);

    let made = make(conn, JobState::Queued);
    ops::cancel_one(conn, None, made.id, &me(), Some("why"), CancelLimit::Any).unwrap();
    assert_eq!(
        told(conn, made.id),
        ["created ->-", "cancelled queued>cancelled"]
    );
    let entry = timeline(conn, made.id).remove(1);
    assert_eq!(
        (entry.actor.as_str(), entry.via.as_str()),
        ("tester", "native")
    );
    assert_eq!(entry.reason.as_deref(), Some("why"));

    let made = make(conn, JobState::Cancelling);
    report(conn, made, Verdict::Completed);
    assert_eq!(
        told(conn, made.id),
        [
            "created ->-",
            "claimed queued>running",
            "cancel_requested running>cancelling",
            "cancelled cancelling>cancelled"
        ]
    );

    let made = make(conn, JobState::Running);
    ops::stop(conn, made.worker).unwrap();
    conn.transaction(|conn| ops::rescue(conn, 10, true))
        .unwrap();
    assert_eq!(
        told(conn, made.id),
        [
            "created ->-",
            "claimed queued>running",
            "lease_lost running>queued"
        ]
    );
}

#[test]
fn what_people_do_to_a_job_is_told_with_their_name() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Running);
    let by = ops::Actor::new("ann", ops::Via::Cli);
    conn.transaction(|conn| ops::suspend(conn, None, made.id, &by, Some("lunch")))
        .unwrap();
    conn.transaction(|conn| ops::resume(conn, None, made.id, &by, None))
        .unwrap();
    ops::complete(conn, made.worker, &[(made.id, made.fence)]).unwrap();
    ops::retry(conn, None, made.id, &by, Some("once more")).unwrap();
    conn.transaction(|conn| ops::delete_data(conn, None, made.id, &by, Some("privacy")))
        .unwrap();
    assert_eq!(
        told(conn, made.id),
        [
            "created ->-",
            "claimed queued>running",
            "suspended running>suspended",
            "resumed suspended>running",
            "completed running>completed",
            "retried completed>completed",
            "data_deleted completed>completed",
        ]
    );
    let entries = timeline(conn, made.id);
    for (i, reason) in [
        (2, Some("lunch")),
        (3, None),
        (5, Some("once more")),
        (6, Some("privacy")),
    ] {
        assert_eq!(
            (entries[i].actor.as_str(), entries[i].via.as_str()),
            ("ann", "cli")
        );
        assert_eq!(entries[i].reason.as_deref(), reason);
    }
}

/// The job has one column for its latest claim; the record must hold the others.
#[test]
fn every_claim_of_many_is_told_once() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let id = enqueue(conn, &new_job());
    let fence = claim_one(conn, worker).fence;
    let mut made = Made { id, worker, fence };
    for verdict in [fail("one", 0.0), snooze(0.0), fail("two", 0.0)] {
        report(conn, made, verdict);
        made = again(conn, made);
    }
    ops::cancel_one(conn, None, id, &me(), None, CancelLimit::Any).unwrap();
    report(conn, made, stopped());
    assert_eq!(
        told(conn, id),
        [
            "created ->-",
            "claimed queued>running",
            "attempt_failed running>scheduled",
            "claimed queued>running",
            "snoozed running>scheduled",
            "claimed queued>running",
            "attempt_failed running>scheduled",
            "claimed queued>running",
            "cancel_requested running>cancelling",
            "cancelled cancelling>cancelled",
        ]
    );
    let attempts: Vec<_> = timeline(conn, id)
        .iter()
        .map(|entry| entry.attempt)
        .collect();
    assert_eq!(attempts, [0, 1, 1, 2, 2, 2, 2, 3, 3, 3]);
}

/// A snooze gives the attempt back, which does not change that the claim before it was the first.
#[test]
fn a_claim_keeps_its_attempt_when_that_is_given_back() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Running);
    report(conn, made, snooze(60.0));
    let entries = timeline(conn, made.id);
    let attempts: Vec<_> = entries
        .iter()
        .map(|e| (e.event.as_str(), e.attempt))
        .collect();
    assert_eq!(attempts, [("created", 0), ("claimed", 1), ("snoozed", 1)]);
}

/// A caller's transaction may begin long before what it waits for has happened.
#[test]
fn the_order_is_that_of_the_locks_and_not_of_when_a_transaction_began() {
    let db = TestDb::new();
    let (mut caller, mut conn) = (db.conn(), db.conn());
    let conn = &mut conn;
    let worker = register(conn);
    run(&mut caller, "begin; select now()");
    let id = enqueue(conn, &new_job());
    claim_one(conn, worker);
    ops::cancel_one(&mut caller, None, id, &me(), None, CancelLimit::Any).unwrap();
    run(&mut caller, "commit");
    assert_eq!(
        told(conn, id),
        [
            "created ->-",
            "claimed queued>running",
            "cancel_requested running>cancelling"
        ]
    );
}

#[test]
fn the_record_outlives_the_job() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Cancelled);
    let number = JobRef::number(made.id);
    let (_, before) = query::life(conn, Some(TENANT), &number).unwrap();
    run(
        conn,
        "alter table belay.job_done disable trigger job_done_kept; delete from belay.job_done",
    );
    let (id, after) = query::life(conn, Some(TENANT), &number).unwrap();
    assert_eq!(id, made.id);
    assert!(!after.is_empty());
    assert!(after.iter().all(|entry| before.contains(entry)));
    for tenant in [Some(TENANT + 1), Some(TENANT)] {
        let other = JobRef::number(if tenant == Some(TENANT) { 999 } else { made.id });
        let missing = query::life(conn, tenant, &other);
        assert!(matches!(missing, Err(Error::Missing { .. })), "{missing:?}");
    }
}
