//! Races that cannot be laid out, run until each order has happened: both sides start at a barrier, and whatever the order, what
//! they are told and what is stored agree.

use std::sync::Barrier;

use belay_core::JobState;
use belay_core::ops::{self, Beat, CancelAnswer, CancelLimit, Outcome};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    claim, count, enqueue, enqueue_n, events, held, me, new_job, register, report, run, state,
    stopped,
};

/// Runs both at once and answers what each said.
fn at_once<A: Send, B: Send>(
    one: impl FnOnce() -> A + Send,
    two: impl FnOnce() -> B + Send,
) -> (A, B) {
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            barrier.wait();
            one()
        });
        barrier.wait();
        let second = two();
        (first.join().unwrap(), second)
    })
}

fn cancel(conn: &mut PgConnection, ids: &[i64]) -> Vec<CancelAnswer> {
    ops::cancel_many(conn, None, ids, &me(), None, CancelLimit::Any).unwrap()
}

#[test]
fn two_bulk_cancels_in_opposite_order_do_not_deadlock() {
    let db = TestDb::new();
    let (mut one, mut two, mut conn) = (db.conn(), db.conn(), db.conn());
    let worker = register(&mut conn);
    for round in 0..50 {
        let ids = enqueue_n(&mut conn, &new_job(), 500);
        claim(&mut conn, worker, 250);
        let reversed: Vec<i64> = ids.iter().rev().copied().collect();
        let (forth, back) = at_once(|| cancel(&mut one, &ids), || cancel(&mut two, &reversed));
        for (id, (a, b)) in ids.iter().zip(forth.iter().zip(back.iter().rev())) {
            assert_eq!((a.id, b.id), (*id, *id));
            let accepted = [a, b]
                .into_iter()
                .filter(|answer| answer.outcome.is_accepted())
                .count();
            let already = [a, b]
                .into_iter()
                .filter(|answer| answer.outcome == Outcome::Already)
                .count();
            assert_eq!(
                (accepted, already),
                (1, 1),
                "round {round}, job {id}: {a:?} {b:?}"
            );
        }
        let asked = format!(
            "select count(*) from belay.job_event where job between {} and {}",
            ids[0], ids[499]
        );
        assert_eq!(count(&mut conn, &asked), 500, "each is recorded once");
        run(&mut conn, "delete from belay.job");
    }
}

#[test]
fn cancel_and_claim_race_on_one_job() {
    let db = TestDb::new();
    let (mut one, mut two, mut conn) = (db.conn(), db.conn(), db.conn());
    let worker = register(&mut conn);
    for round in 0..200 {
        let id = enqueue(&mut conn, &new_job());
        let (answers, claimed) = at_once(|| cancel(&mut one, &[id]), || claim(&mut two, worker, 1));
        let expected = match claimed.len() {
            0 => (Outcome::Cancelled, JobState::Cancelled),
            _ => (Outcome::Cancelling, JobState::Cancelling),
        };
        let got = (answers[0].outcome, state(&mut conn, id));
        assert_eq!(got, expected, "round {round}, claimed {claimed:?}");
        assert_eq!(events(&mut conn, id).len(), 1, "round {round}");
        assert_eq!(
            claim(&mut conn, worker, 1),
            [],
            "round {round}: nobody runs it again"
        );
        run(&mut conn, "delete from belay.job");
    }
}

#[test]
fn cancel_and_completion_race_on_one_job() {
    let db = TestDb::new();
    let (mut one, mut two, mut conn) = (db.conn(), db.conn(), db.conn());
    for round in 0..200 {
        let made = held(&mut conn);
        let reports = [(made.id, made.fence)];
        let (answers, completed) = at_once(
            || cancel(&mut one, &[made.id]),
            || ops::complete(&mut two, made.worker, &reports).unwrap(),
        );
        match answers[0].outcome {
            Outcome::Refused => {
                assert_eq!(completed, [(made.id, JobState::Completed)], "round {round}");
            }
            Outcome::Cancelling => {
                // The report came first to the lock and found the mark, or was overtaken and must be sent again.
                let again = match completed.as_slice() {
                    [] => ops::complete(&mut two, made.worker, &reports).unwrap(),
                    _ => completed,
                };
                assert_eq!(again, [(made.id, JobState::Cancelled)], "round {round}");
            }
            other => panic!("round {round}: {other:?}"),
        }
        let ended = state(&mut conn, made.id);
        let accepted = answers[0].outcome.is_accepted();
        assert_eq!(
            ended == JobState::Cancelled,
            accepted,
            "round {round}: {ended}"
        );
    }
}

#[test]
fn cancel_and_promote_race_on_one_job() {
    let db = TestDb::new();
    let (mut one, mut two, mut conn) = (db.conn(), db.conn(), db.conn());
    let worker = register(&mut conn);
    for round in 0..100 {
        let made = held(&mut conn);
        report(&mut conn, made, stopped());
        let (answers, _) = at_once(
            || cancel(&mut one, &[made.id]),
            || ops::promote(&mut two, 10).unwrap(),
        );
        assert_eq!(answers[0].outcome, Outcome::Cancelled, "round {round}");
        assert_eq!(ops::promote(&mut conn, 10).unwrap(), 0);
        assert_eq!(claim(&mut conn, worker, 10), []);
        assert_eq!(
            state(&mut conn, made.id),
            JobState::Cancelled,
            "round {round}"
        );
    }
}

/// The lease is renewed or ended, never both, however close to its end the heartbeat comes.
#[test]
fn beat_and_mark_dead() {
    let db = TestDb::new();
    let (mut one, mut two, mut conn) = (db.conn(), db.conn(), db.conn());
    let (mut renewed, mut marked_dead) = (0, 0);
    for round in 0..200 {
        let worker = register(&mut conn);
        // Over already, over in a moment, or not over for long.
        let left = [0, 1, 2, 3, 5000][round % 5];
        run(
            &mut conn,
            &format!(
                "update belay.worker set beat_at = clock_timestamp() - lease_ms * interval '1 ms' + {left} * interval '1 ms' where id = {worker}"
            ),
        );
        let (alive, dead) = at_once(
            || ops::beat(&mut one, worker, Beat::default()).unwrap(),
            || ops::mark_dead(&mut two).unwrap().contains(&worker),
        );
        assert!(!(alive && dead), "round {round}: renewed and dead");
        let is_dead = count(
            &mut conn,
            &format!(
                "select count(*) from belay.worker where id = {worker} and dead_at is not null"
            ),
        ) == 1;
        assert_eq!(is_dead, dead, "round {round}");
        // What was told stays true.
        assert_eq!(
            ops::beat(&mut one, worker, Beat::default()).unwrap(),
            alive,
            "round {round}"
        );
        renewed += i32::from(alive);
        marked_dead += i32::from(dead);
        run(&mut conn, "delete from belay.worker");
    }
    assert!(
        renewed > 0 && marked_dead > 0,
        "renewed {renewed}, dead {marked_dead}: no race"
    );
}
