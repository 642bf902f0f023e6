//! The SQL functions inside a caller's transaction: they commit and roll back with it, and under a held snapshot they say so
//! instead of guessing.

use belay_core::JobState;
use belay_core::ops::{self, CancelLimit};
use belay_testkit::TestDb;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::DatabaseErrorKind::SerializationFailure;

use crate::common::{
    as_client, claim, count, counts, events, facts, job, make, me, new_job, refusal, register,
    report, run, state, stopped, text, texts,
};

fn cancel(id: i64) -> String {
    format!("select outcome from belay.cancel({id})")
}

#[test]
fn enqueue_cancel_and_retry_are_bound_to_the_callers_commit() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    for end in ["rollback", "commit"] {
        let [queued, running, failed] = [JobState::Queued, JobState::Running, JobState::Failed]
            .map(|state| make(conn, state).id);
        let before = [queued, running, failed].map(|id| facts(conn, id));
        run(client, "begin");
        let made = count(client, "select belay.enqueue('sleep')");
        assert_eq!(texts(client, &cancel(queued)), ["cancelled"]);
        assert_eq!(texts(client, &cancel(running)), ["cancelling"]);
        let again = count(client, &format!("select belay.retry({failed})"));
        let new = format!("select id from belay.job where id in ({made}, {again}) order by id");
        // Nobody else sees any of it yet.
        assert!(counts(conn, &new).is_empty());
        assert_eq!([queued, running, failed].map(|id| facts(conn, id)), before);
        run(client, end);
        if end == "rollback" {
            assert!(counts(conn, &new).is_empty());
            assert_eq!([queued, running, failed].map(|id| facts(conn, id)), before);
        } else {
            assert_eq!(counts(conn, &new), [made, again]);
            assert_eq!(
                [queued, running].map(|id| state(conn, id)),
                [JobState::Cancelled, JobState::Cancelling]
            );
            assert_eq!(events(conn, failed).len(), 2);
        }
    }
}

#[test]
fn a_savepoint_takes_back_what_came_after_it_and_nothing_else() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    let [kept, back] = [(); 2].map(|()| make(conn, JobState::Running).id);
    run(client, "begin");
    let first = count(client, "select belay.enqueue('sleep')");
    texts(client, &cancel(kept));
    run(client, "savepoint s");
    let second = count(
        client,
        "select belay.enqueue('sleep', idempotency_key => 'i', unique_key => 'u')",
    );
    texts(client, &cancel(back));
    run(client, "rollback to s");
    // The keys of what was taken back are free.
    let third = count(
        client,
        "select belay.enqueue('sleep', idempotency_key => 'i', unique_key => 'u')",
    );
    assert_ne!(third, second);
    run(client, "commit");
    assert_eq!(
        [kept, back].map(|id| state(conn, id)),
        [JobState::Cancelling, JobState::Running]
    );
    assert!(events(conn, back).is_empty());
    assert_eq!(
        counts(
            conn,
            &format!(
                "select id from belay.job where id in ({first}, {second}, {third}) order by id"
            )
        ),
        [first, third]
    );
}

#[test]
fn a_refused_call_can_be_caught_by_the_caller() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    run(
        client,
        "do $$ begin
           perform belay.enqueue('sleep', unique_key => 'before');
           begin
             perform belay.enqueue('sleep', unique_key => 'inside');
             perform belay.enqueue('unheard-of');
           exception when foreign_key_violation then null;
           end;
           perform belay.enqueue('sleep', unique_key => 'after');
         end $$",
    );
    assert_eq!(
        texts(conn, "select unique_key from belay.job order by id"),
        ["before", "after"]
    );
}

#[test]
fn a_job_enqueued_in_the_same_transaction_can_be_cancelled_in_it() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    for isolation in ["read committed", "repeatable read", "serializable"] {
        run(client, &format!("begin isolation level {isolation}"));
        let id = count(client, "select belay.enqueue('sleep')");
        assert_eq!(
            text(
                client,
                &format!("select state::text from belay.status({id})")
            ),
            "queued"
        );
        assert_eq!(texts(client, &cancel(id)), ["cancelled"]);
        assert_eq!(texts(client, &cancel(id)), ["already"]);
        assert_eq!(
            text(
                client,
                &format!("select state::text from belay.status({id})")
            ),
            "cancelled"
        );
        let again = count(client, &format!("select belay.retry({id})"));
        run(client, "commit");
        assert_eq!(state(conn, id), JobState::Cancelled, "{isolation}");
        assert_eq!(events(conn, id).len(), 2, "cancelled and retried");
        assert_eq!(job(conn, again).retry_of, Some(id));
    }
}

/// What happens to a job behind the back of a caller that holds a snapshot.
const MOVES: [&str; 6] = [
    "claimed",
    "completed",
    "cancelled",
    "cancelling",
    "rescued",
    "suspended",
];

fn move_it(conn: &mut PgConnection, how: &str) -> impl FnOnce(&mut PgConnection) -> i64 + use<> {
    let was = match how {
        "claimed" | "cancelled" => JobState::Queued,
        _ => JobState::Running,
    };
    let made = make(conn, was);
    let how = how.to_owned();
    move |conn| {
        match how.as_str() {
            "claimed" => {
                let worker = register(conn);
                assert_eq!(claim(conn, worker, 10).len(), 1);
            }
            "completed" => {
                ops::complete(conn, made.worker, &[(made.id, made.fence)]).unwrap();
            }
            "rescued" => {
                ops::stop(conn, made.worker).unwrap();
                conn.transaction(|conn| ops::rescue(conn, 10, true))
                    .unwrap();
            }
            "suspended" => {
                conn.transaction(|conn| ops::suspend(conn, None, made.id, &me(), None))
                    .unwrap();
            }
            _ => {
                ops::cancel_one(conn, None, made.id, &me(), None, CancelLimit::Any).unwrap();
            }
        }
        made.id
    }
}

#[test]
fn a_job_that_moved_after_the_callers_snapshot_is_40001() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    for isolation in ["repeatable read", "serializable"] {
        for how in MOVES {
            let moving = move_it(conn, how);
            let bystander = make(conn, JobState::Suspended).id;
            run(
                client,
                &format!("begin isolation level {isolation}; select 1 from pg_class limit 1"),
            );
            let id = moving(conn);
            let before = [id, bystander].map(|id| facts(conn, id));
            let ask = format!("select * from belay.cancel_many(array[{bystander}, {id}])");
            let refusal = refusal(client.batch_execute(&ask));
            run(client, "rollback");
            assert!(
                refusal.is(&SerializationFailure),
                "{how}, {isolation}: {refusal:?}"
            );
            assert_eq!([id, bystander].map(|id| facts(conn, id)), before, "{how}");
            run(conn, "delete from belay.job");
        }
    }
}

#[test]
fn a_job_that_did_not_move_is_cancelled_under_a_held_snapshot() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    let [queued, running] = [JobState::Queued, JobState::Running].map(|state| make(conn, state));
    run(
        client,
        "begin isolation level repeatable read; select 1 from pg_class limit 1",
    );
    make(conn, JobState::Completed);
    assert_eq!(texts(client, &cancel(queued.id)), ["cancelled"]);
    assert_eq!(texts(client, &cancel(running.id)), ["cancelling"]);
    run(client, "commit");
    report(conn, running, stopped());
    assert_eq!(
        [queued, running].map(|made| state(conn, made.id)),
        [JobState::Cancelled; 2]
    );
}

#[test]
fn a_key_that_was_taken_after_the_callers_snapshot_is_40001() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    for key in ["unique_key", "idempotency_key"] {
        run(
            client,
            "begin isolation level repeatable read; select 1 from pg_class limit 1",
        );
        let ask = format!("select belay.enqueue('sleep', {key} => 'k')");
        let id = count(conn, &ask);
        let refusal = refusal(client.batch_execute(&ask));
        run(client, "rollback");
        assert!(refusal.is(&SerializationFailure), "{key}: {refusal:?}");
        assert_eq!(count(client, &ask), id);
    }
}

/// The refusal "it has not finished" would be wrong, because it has.
#[test]
fn a_retry_of_a_job_that_finished_after_the_callers_snapshot_is_40001() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    let moving = move_it(conn, "completed");
    run(
        client,
        "begin isolation level repeatable read; select 1 from pg_class limit 1",
    );
    let id = moving(conn);
    let refusal = refusal(client.batch_execute(&format!("select belay.retry({id})")));
    run(client, "rollback");
    assert!(refusal.is(&SerializationFailure), "{refusal:?}");
    assert_eq!(count(conn, "select count(*) from belay.job"), 0);
}

/// The daemon's own operations meet the same answer as an error that says: try again.
#[test]
fn the_daemon_takes_40001_as_busy() {
    let db = TestDb::new();
    let (mut holder, mut conn) = (db.conn(), db.conn());
    let id = ops::enqueue(&mut conn, 1, &new_job(), None, false, &me())
        .unwrap()
        .id;
    run(
        &mut holder,
        "begin isolation level repeatable read; select 1 from pg_class limit 1",
    );
    let worker = register(&mut conn);
    claim(&mut conn, worker, 1);
    let error = ops::cancel_one(&mut holder, None, id, &me(), None, CancelLimit::Any).unwrap_err();
    assert!(
        error.is_transient() && matches!(error, belay_core::Error::Busy(_)),
        "{error:?}"
    );
}
