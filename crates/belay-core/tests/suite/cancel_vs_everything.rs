//! The failures of other systems, by name: an accepted cancel against everything else that moves a job. Two connections, laid out so
//! that the dangerous order is the one that happens.

use belay_core::ops::{
    self, CancelAnswer, CancelLimit, FinishedAnyway, Outcome, Report, Settled, Verdict,
};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    Made, claim, claim_one, enqueue_n, events, facts, fail, fail_for_good, held, job, make, me,
    new_job, overtaken, register, report, run, snooze, state,
};

#[track_caller]
fn cancel(conn: &mut PgConnection, id: i64) -> CancelAnswer {
    ops::cancel_one(conn, None, id, &me(), Some("stop"), CancelLimit::Any).unwrap()
}

#[track_caller]
fn rescue(conn: &mut PgConnection) -> ops::Rescued {
    conn.transaction(|conn| ops::rescue(conn, 100, true))
        .unwrap()
}

/// A scheduled job whose time has come.
fn due(conn: &mut PgConnection) -> Made {
    let made = held(conn);
    report(conn, made, fail("once", 0.0));
    made
}

#[test]
fn rescuer_does_not_revive_a_cancelled_job() {
    let db = TestDb::new();
    let (mut canceller, mut conn) = (db.conn(), db.conn());
    let conn = &mut conn;
    let made = held(conn);
    ops::stop(conn, made.worker).unwrap();
    run(&mut canceller, "begin");
    assert_eq!(cancel(&mut canceller, made.id).outcome, Outcome::Cancelling);
    run(conn, "set lock_timeout = '2s'");
    assert_eq!(rescue(conn).total(), 0, "the rescuer waits for nobody");
    run(&mut canceller, "commit");
    let done = rescue(conn);
    assert_eq!((done.queued, done.failed, done.cancelled), (0, 0, 1));
    let ended = job(conn, made.id);
    assert_eq!(ended.state, JobState::Cancelled);
    assert_eq!(ended.cancel().unwrap().rung.as_deref(), Some("lease_lost"));
}

#[test]
fn promote_meets_an_open_cancel_transaction() {
    let db = TestDb::new();
    let (mut canceller, mut conn) = (db.conn(), db.conn());
    let conn = &mut conn;
    run(conn, "set lock_timeout = '2s'");
    for end in ["commit", "rollback"] {
        let made = due(conn);
        run(&mut canceller, "begin");
        assert_eq!(cancel(&mut canceller, made.id).outcome, Outcome::Cancelled);
        assert_eq!(
            ops::promote(conn, 100).unwrap(),
            0,
            "the scheduler passes over it"
        );
        run(&mut canceller, end);
        let promoted = ops::promote(conn, 100).unwrap();
        let worker = register(conn);
        let claimed = claim(conn, worker, 100).len();
        if end == "commit" {
            assert_eq!((promoted, claimed), (0, 0));
            assert_eq!(state(conn, made.id), JobState::Cancelled);
            assert_eq!(
                events(conn, made.id)[1..],
                ["cancelled scheduled>cancelled tester native stop -"]
            );
        } else {
            assert_eq!((promoted, claimed), (1, 1));
        }
    }
}

#[test]
fn zombie_cannot_complete_anothers_attempt() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let zombie = held(conn);
    ops::stop(conn, zombie.worker).unwrap();
    assert_eq!(rescue(conn).queued, 1);
    let worker = register(conn);
    let claimed = claim_one(conn, worker);
    assert_eq!((claimed.id, claimed.attempt), (zombie.id, 2));
    assert!(claimed.fence > zombie.fence);
    let before = facts(conn, zombie.id);
    assert_eq!(
        ops::complete(conn, zombie.worker, &[(zombie.id, zombie.fence)]).unwrap(),
        []
    );
    for verdict in [
        Verdict::Completed,
        fail("late", 0.0),
        fail_for_good("late"),
        snooze(1.0),
    ] {
        assert_eq!(report(conn, zombie, verdict), Settled::Stale);
    }
    assert_eq!(facts(conn, zombie.id), before);
    assert_eq!(
        ops::lost(conn, zombie.worker, &[(zombie.id, zombie.fence)]).unwrap(),
        [zombie.id]
    );
    assert_eq!(
        ops::complete(conn, worker, &[(claimed.id, claimed.fence)]).unwrap(),
        [(claimed.id, JobState::Completed)]
    );
}

#[test]
fn automatic_retry_does_not_revive_an_accepted_cancel() {
    let db = TestDb::new();
    let mut canceller = db.conn();
    for (verdict, anyway) in [
        (fail("no", 0.0), FinishedAnyway::Failed),
        (fail_for_good("no"), FinishedAnyway::Failed),
        (snooze(0.0), FinishedAnyway::Snoozed),
        (Verdict::Completed, FinishedAnyway::Completed),
    ] {
        let made = held(&mut db.conn());
        run(&mut canceller, "begin");
        cancel(&mut canceller, made.id);
        let settled = overtaken(&db, &mut canceller, "commit", |conn| {
            report(conn, made, verdict)
        });
        assert_eq!(settled, Settled::Now(JobState::Cancelled));
        let conn = &mut db.conn();
        assert_eq!(state(conn, made.id), JobState::Cancelled);
        let word = format!("{anyway:?}").to_lowercase();
        assert!(
            events(conn, made.id)[1].contains(&format!("\"finished_anyway\": \"{word}\"")),
            "{:?}",
            events(conn, made.id)
        );
        assert_eq!(ops::promote(conn, 100).unwrap(), 0);
    }
}

#[test]
fn late_completion_after_cancel_ends_cancelled() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    assert_eq!(cancel(conn, made.id).outcome, Outcome::Cancelling);
    assert_eq!(
        ops::complete(conn, made.worker, &[(made.id, made.fence)]).unwrap(),
        [(made.id, JobState::Cancelled)]
    );
    assert_eq!(cancel(conn, made.id).outcome, Outcome::Already);
    assert_eq!(state(conn, made.id), JobState::Cancelled);
}

#[test]
fn cancel_waits_for_an_open_completion_and_is_refused() {
    let db = TestDb::new();
    let mut completer = db.conn();
    for (end, outcome) in [
        ("commit", Outcome::Refused),
        ("rollback", Outcome::Cancelling),
    ] {
        let made = held(&mut db.conn());
        run(&mut completer, "begin");
        ops::complete(&mut completer, made.worker, &[(made.id, made.fence)]).unwrap();
        let answer = overtaken(&db, &mut completer, end, |conn| cancel(conn, made.id));
        assert_eq!(answer.outcome, outcome, "after {end}");
        let now = state(&mut db.conn(), made.id);
        assert_eq!(answer.state, Some(now), "the answer is the winner's");
        if outcome == Outcome::Refused {
            assert_eq!(
                (now, answer.was),
                (JobState::Completed, Some(JobState::Completed))
            );
            assert!(events(&mut db.conn(), made.id).is_empty());
        }
    }
}

#[test]
fn completion_waits_for_an_open_cancel() {
    let db = TestDb::new();
    let (mut canceller, mut conn) = (db.conn(), db.conn());
    let conn = &mut conn;
    let worker = register(conn);
    enqueue_n(conn, &new_job(), 2);
    let jobs: Vec<(i64, i32)> = claim(conn, worker, 2)
        .iter()
        .map(|c| (c.id, c.fence))
        .collect();
    run(&mut canceller, "begin");
    cancel(&mut canceller, jobs[0].0);

    // A batch that holds the job is not had in time, and nothing of it is done. Its other half goes through.
    run(conn, "set lock_timeout = '50ms'");
    let busy = ops::complete(conn, worker, &jobs).unwrap_err();
    assert!(matches!(busy, Error::Busy(_)), "{busy:?}");
    assert_eq!(state(conn, jobs[1].0), JobState::Running);
    assert_eq!(
        ops::complete(conn, worker, &jobs[1..]).unwrap(),
        [(jobs[1].0, JobState::Completed)]
    );
    let report = Report {
        id: jobs[0].0,
        fence: jobs[0].1,
        verdict: Verdict::Completed,
    };
    let busy = conn
        .transaction(|conn| ops::settle(conn, worker, &[report]))
        .unwrap_err();
    assert!(matches!(busy, Error::Busy(_)), "{busy:?}");

    // One that waits out the commit finds the row changed under it: no answer, but the job is named as unresolved.
    let first = &jobs[..1];
    let answers = overtaken(&db, &mut canceller, "commit", |conn| {
        ops::complete(conn, worker, first).unwrap()
    });
    assert_eq!(answers, []);
    assert_eq!(
        ops::unresolved(conn, worker, first).unwrap(),
        [(jobs[0].0, JobState::Cancelling)]
    );
    assert_eq!(
        ops::complete(conn, worker, first).unwrap(),
        [(jobs[0].0, JobState::Cancelled)]
    );
    assert_eq!(ops::unresolved(conn, worker, first).unwrap(), []);
    assert_eq!(state(conn, jobs[0].0), JobState::Cancelled);
}

#[test]
fn claim_passes_over_a_locked_row() {
    let db = TestDb::new();
    let (mut canceller, mut conn) = (db.conn(), db.conn());
    let conn = &mut conn;
    run(conn, "set lock_timeout = '2s'");
    let worker = register(conn);
    for end in ["commit", "rollback"] {
        let ids = enqueue_n(conn, &new_job(), 2);
        run(&mut canceller, "begin");
        assert_eq!(cancel(&mut canceller, ids[0]).outcome, Outcome::Cancelled);
        let claimed = claim(conn, worker, 10);
        assert_eq!(claimed.iter().map(|c| c.id).collect::<Vec<_>>(), ids[1..]);
        run(&mut canceller, end);
        let claimed = claim(conn, worker, 10);
        let expected: &[i64] = if end == "commit" { &[] } else { &ids[..1] };
        assert_eq!(
            claimed.iter().map(|c| c.id).collect::<Vec<_>>(),
            expected,
            "after {end}"
        );
    }
}

#[test]
fn snooze_after_cancel() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Cancelling);
    assert_eq!(
        report(conn, made, snooze(0.0)),
        Settled::Now(JobState::Cancelled)
    );
    assert_eq!(ops::promote(conn, 10).unwrap(), 0);
    assert!(events(conn, made.id)[1].contains("\"finished_anyway\": \"snoozed\""));
}

#[test]
fn suspend_after_cancel_refused() {
    let db = TestDb::new();
    let mut canceller = db.conn();
    let made = held(&mut canceller);
    run(&mut canceller, "begin");
    cancel(&mut canceller, made.id);
    let suspended = overtaken(&db, &mut canceller, "commit", |conn| {
        conn.transaction(|conn| ops::suspend(conn, None, made.id, &me(), None))
    });
    assert!(
        matches!(&suspended, Err(Error::Refused { state: Some(JobState::Cancelling), message }) if message.contains("only a running job")),
        "{suspended:?}"
    );
    let conn = &mut db.conn();
    let resumed = conn.transaction(|conn| ops::resume(conn, None, made.id, &me(), None));
    assert!(
        matches!(
            resumed,
            Err(Error::Refused {
                state: Some(JobState::Cancelling),
                ..
            })
        ),
        "{resumed:?}"
    );
    assert_eq!(events(conn, made.id).len(), 1);
}

#[test]
fn retry_by_hand_of_a_cancelled_job_makes_a_new_one() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for stopping in [JobState::Queued, JobState::Cancelling] {
        let made = make(conn, stopping);
        cancel(conn, made.id);
        if stopping == JobState::Cancelling {
            let early = ops::retry(conn, None, made.id, &me(), None);
            assert!(
                matches!(
                    early,
                    Err(Error::Refused {
                        state: Some(JobState::Cancelling),
                        ..
                    })
                ),
                "{early:?}"
            );
            report(conn, made, snooze(0.0));
        }
        let mark = job(conn, made.id).cancel();
        let new = ops::retry(conn, None, made.id, &me(), Some("not so hasty")).unwrap();
        let old = job(conn, made.id);
        assert_eq!((old.state, old.cancel()), (JobState::Cancelled, mark));
        let new = job(conn, new);
        assert_eq!(
            (new.state, new.retry_of, new.cancel()),
            (JobState::Queued, Some(old.id), None)
        );
        assert_eq!((new.attempt, new.fence, new.started_at), (0, 0, None));
        let record = events(conn, old.id).pop().unwrap();
        assert_eq!(
            record,
            format!(
                "retried cancelled>cancelled tester native not so hasty {{\"job\": {}}}",
                new.id
            )
        );
    }
}
