//! Notifications: sent only while somebody sleeps, never for what was rolled back, and an error when the connection is gone.

use std::time::{Duration, Instant};

use belay_core::JobState;
use belay_core::notify::{Hint, Listener};
use belay_core::ops::{self, CancelLimit};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    count, enqueue, enqueue_n, fail, held, in_an_hour, make, me, new_job, new_with, register,
    report, run,
};

const LONG: Duration = Duration::from_secs(60);

/// What has come, without waiting for anything that may not come: a mark is sent behind it. Notifications are at least 5 ms
/// apart; for the test's sake the next one may come at once.
#[track_caller]
fn heard(listener: &mut Listener, conn: &mut PgConnection) -> Vec<Hint> {
    run(conn, "notify belay, 'mark'");
    let mark = Hint::Other("mark".into());
    let mut all = Vec::new();
    while !all.contains(&mark) {
        let more = listener.wait(LONG).unwrap();
        assert!(!more.is_empty(), "the mark did not come: {all:?}");
        all.extend(more);
    }
    all.retain(|hint| *hint != mark);
    run(conn, "select setval('belay.wake_clock', 0)");
    all
}

/// A database in which the usual line is there and known already: a new one notifies.
fn with_lines() -> TestDb {
    let db = TestDb::new();
    let conn = &mut db.conn();
    run(
        conn,
        "select belay.ensure_line('default', 'sleep', 5::smallint)",
    );
    assert_eq!(ops::note_lines(conn).unwrap(), 1);
    db
}

/// Workers that are awake look for new lines only once a second.
#[test]
fn the_first_job_of_a_line_notifies_also_while_nobody_sleeps() {
    let db = with_lines();
    let conn = &mut db.conn();
    let listener = &mut Listener::connect(db.url()).unwrap();
    run(conn, "select belay.enqueue('sleep', queue => 'new')");
    assert_eq!(heard(listener, conn), [Hint::Wake]);
    run(conn, "select belay.enqueue('sleep', queue => 'new')");
    assert_eq!(heard(listener, conn), []);
}

#[test]
fn enqueue_notifies_only_while_somebody_sleeps() {
    let db = with_lines();
    let conn = &mut db.conn();
    let listener = &mut Listener::connect(db.url()).unwrap();
    let worker = register(conn);
    enqueue(conn, &new_job());
    assert_eq!(heard(listener, conn), []);

    ops::sleep(conn, worker).unwrap();
    ops::sleep(conn, worker).unwrap();
    enqueue(conn, &new_job());
    assert_eq!(heard(listener, conn), [Hint::Wake]);
    enqueue_n(conn, &new_job(), 100);
    assert_eq!(heard(listener, conn), [Hint::Wake]);

    ops::wake(conn, worker).unwrap();
    enqueue(conn, &new_job());
    assert_eq!(heard(listener, conn), []);
}

#[test]
fn whatever_puts_a_job_into_a_line_wakes_the_sleepers() {
    let db = with_lines();
    let conn = &mut db.conn();
    let listener = &mut Listener::connect(db.url()).unwrap();
    let open = make(conn, JobState::Open).id;
    let scheduled = make(conn, JobState::Scheduled).id;
    let failed = make(conn, JobState::Failed).id;
    let lost = held(conn);
    let due = held(conn);
    let sleeper = register(conn);
    // The new lines.
    heard(listener, conn);
    ops::sleep(conn, sleeper).unwrap();
    assert_eq!(heard(listener, conn), []);

    conn.transaction(|conn| ops::close(conn, None, open, &me()))
        .unwrap();
    assert_eq!(heard(listener, conn), [Hint::Wake], "close");
    conn.transaction(|conn| ops::start_now(conn, None, scheduled, &me(), None))
        .unwrap();
    assert_eq!(heard(listener, conn), [Hint::Wake], "start now");
    ops::retry(conn, None, failed, &me(), None).unwrap();
    assert_eq!(heard(listener, conn), [Hint::Wake], "retry");
    ops::stop(conn, lost.worker).unwrap();
    conn.transaction(|conn| ops::rescue(conn, 10, true))
        .unwrap();
    assert_eq!(heard(listener, conn), [Hint::Wake], "rescue");
    report(conn, due, fail("again", 0.0));
    assert_eq!(heard(listener, conn), [], "it is not in the line yet");
    assert_eq!(ops::promote(conn, 10).unwrap(), 1);
    assert_eq!(heard(listener, conn), [Hint::Wake], "promote");
    assert_eq!(ops::promote(conn, 10).unwrap(), 0);
    assert_eq!(heard(listener, conn), [], "nothing was promoted");
    run(conn, "select belay.enqueue('sleep')");
    assert_eq!(heard(listener, conn), [Hint::Wake], "from SQL");
}

/// Transactions that notify commit one after the other, so not each of many does.
#[test]
fn many_jobs_at_once_notify_once_in_a_while() {
    let db = with_lines();
    let conn = &mut db.conn();
    let listener = &mut Listener::connect(db.url()).unwrap();
    let worker = register(conn);
    ops::sleep(conn, worker).unwrap();
    // As if somebody had notified at the last millisecond of this one's statement.
    let all = "begin; select belay.wake();
               select setval('belay.wake_clock', (extract(epoch from clock_timestamp()) * 1000)::bigint);
               select belay.wake(); commit";
    run(conn, all);
    assert_eq!(heard(listener, conn), [Hint::Wake]);
    // A clock that was set back does not silence anybody.
    run(conn, "select setval('belay.wake_clock', 8000000000000000)");
    run(conn, "select belay.enqueue('sleep')");
    assert_eq!(heard(listener, conn), [Hint::Wake]);
}

/// Enqueues look at the clock alone, which goes on while nobody sleeps.
#[test]
fn who_falls_asleep_is_woken_by_the_very_next_job() {
    let db = with_lines();
    let conn = &mut db.conn();
    let worker = register(conn);
    let listener = &mut Listener::connect(db.url()).unwrap();
    let now = "select setval('belay.wake_clock', (extract(epoch from clock_timestamp()) * 1000)::bigint + 2)";
    for isolation in ["read committed", "repeatable read"] {
        run(
            conn,
            &format!("set default_transaction_isolation = '{isolation}'"),
        );
        // Somebody has enqueued just now, and the clock is not over.
        run(conn, now);
        ops::sleep(conn, worker).unwrap();
        enqueue(conn, &new_job());
        assert_eq!(heard(listener, conn), [Hint::Wake], "{isolation}");
        ops::wake(conn, worker).unwrap();
        run(conn, "select setval('belay.wake_clock', 0)");
        enqueue(conn, &new_job());
        let marked = count(
            conn,
            "select count(*) from belay.wake_clock where last_value > 0",
        );
        assert_eq!(heard(listener, conn), [], "{isolation}");
        assert_eq!(marked == 1, isolation == "read committed", "{isolation}");
    }
}

/// A transaction that does not see the sleeper must not silence those that do.
#[test]
fn an_old_snapshot_leaves_the_clock_alone() {
    let db = with_lines();
    let (mut old, mut worker_conn) = (db.conn(), db.conn());
    let conn = &mut db.conn();
    let listener = &mut Listener::connect(db.url()).unwrap();
    run(
        &mut old,
        "begin isolation level repeatable read; select count(*) from belay.job",
    );
    let worker = register(&mut worker_conn);
    ops::sleep(&mut worker_conn, worker).unwrap();
    run(&mut old, "select belay.enqueue('sleep')");
    enqueue(conn, &new_job());
    assert_eq!(heard(listener, conn), [Hint::Wake]);
    run(&mut old, "commit");
}

#[test]
fn a_dead_worker_is_no_sleeper() {
    let db = with_lines();
    let conn = &mut db.conn();
    let worker = register(conn);
    ops::stop(conn, worker).unwrap();
    ops::sleep(conn, worker).unwrap();
    ops::sleep(conn, 999).unwrap();
    assert_eq!(count(conn, "select count(*) from belay.sleeper"), 0);
}

#[test]
fn a_transaction_that_rolls_back_notifies_nobody() {
    let db = with_lines();
    let conn = &mut db.conn();
    let listener = &mut Listener::connect(db.url()).unwrap();
    let made = held(conn);
    // The new lines.
    heard(listener, conn);
    ops::sleep(conn, made.worker).unwrap();
    run(conn, "begin");
    enqueue(conn, &new_job());
    ops::cancel_one(conn, None, made.id, &me(), None, CancelLimit::Any).unwrap();
    run(conn, "rollback");
    assert_eq!(heard(listener, conn), []);
}

#[test]
fn a_cancel_tells_each_worker_concerned_once() {
    let db = with_lines();
    let conn = &mut db.conn();
    let listener = &mut Listener::connect(db.url()).unwrap();
    let worker = register(conn);
    let ids = enqueue_n(conn, &new_job(), 3);
    assert_eq!(crate::common::claim(conn, worker, 3).len(), 3);
    let other = held(conn);
    let asked = [ids[0], ids[1], other.id, make(conn, JobState::Queued).id];
    // The new lines.
    heard(listener, conn);
    ops::cancel_many(conn, None, &asked, &me(), None, CancelLimit::Any).unwrap();
    let mut told = heard(listener, conn);
    told.sort_by_key(|hint| format!("{hint:?}"));
    let mut expected = [Hint::Stop(worker), Hint::Stop(other.worker)];
    expected.sort_by_key(|hint| format!("{hint:?}"));
    assert_eq!(told, expected);
    // A repeat has no second effect.
    ops::cancel_many(conn, None, &asked, &me(), None, CancelLimit::Any).unwrap();
    assert_eq!(heard(listener, conn), []);
}

#[test]
fn the_worker_is_told_of_everything_that_is_wanted_of_it() {
    let db = with_lines();
    let conn = &mut db.conn();
    let listener = &mut Listener::connect(db.url()).unwrap();
    let made = held(conn);
    let told = [Hint::Stop(made.worker)];
    // The new lines.
    heard(listener, conn);
    conn.transaction(|conn| ops::suspend(conn, None, made.id, &me(), None))
        .unwrap();
    assert_eq!(heard(listener, conn), told, "suspend");
    conn.transaction(|conn| ops::suspend(conn, None, made.id, &me(), None))
        .unwrap();
    assert_eq!(heard(listener, conn), [], "it was suspended already");
    conn.transaction(|conn| ops::resume(conn, None, made.id, &me(), None))
        .unwrap();
    assert_eq!(heard(listener, conn), told, "resume");
    conn.transaction(|conn| ops::force_cancel(conn, None, made.id, &me(), None))
        .unwrap();
    assert_eq!(heard(listener, conn), told, "force");
}

#[test]
fn one_that_waits_is_woken() {
    let db = with_lines();
    let conn = &mut db.conn();
    let mut listener = Listener::connect(db.url()).unwrap();
    let worker = register(conn);
    ops::sleep(conn, worker).unwrap();
    let heard = std::thread::scope(|scope| {
        let waiting = scope.spawn(move || listener.wait(LONG).unwrap());
        enqueue(conn, &new_with(|job| job.run_at = in_an_hour()));
        waiting.join().unwrap()
    });
    assert_eq!(heard, [Hint::Wake]);
}

#[test]
fn equal_hints_are_answered_once_and_unknown_ones_as_they_are() {
    let db = with_lines();
    let conn = &mut db.conn();
    let listener = &mut Listener::connect(db.url()).unwrap();
    for payload in [
        "wake", "stop 7", "wake", "stop 7", "stop", "stop x", "", "wake up",
    ] {
        run(conn, &format!("notify belay, '{payload}'"));
    }
    run(conn, "notify something_else, 'wake'");
    // The server may deliver in several parts, so repeats may remain between them; none is lost.
    let mut all = heard(listener, conn);
    all.sort_by_key(|hint| format!("{hint:?}"));
    all.dedup();
    let other = |text: &str| Hint::Other(text.into());
    assert_eq!(
        all,
        [
            other(""),
            other("stop x"),
            other("stop"),
            other("wake up"),
            Hint::Stop(7),
            Hint::Wake
        ]
    );
}

#[test]
fn a_wait_ends_with_its_time() {
    let db = with_lines();
    let listener = &mut Listener::connect(db.url()).unwrap();
    assert_eq!(listener.wait(Duration::ZERO).unwrap(), []);
    let began = Instant::now();
    let patience = Duration::from_millis(20);
    assert_eq!(listener.wait(patience).unwrap(), []);
    assert!(began.elapsed() >= patience);
}

#[test]
fn a_connection_that_is_lost_is_an_error_at_once() {
    let db = with_lines();
    let conn = &mut db.conn();
    let mut listener = Listener::connect(db.url()).unwrap();
    let ended = count(
        conn,
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and query = 'listen belay'",
    );
    assert_eq!(ended, 1);
    let error = loop {
        // What came before the end may still be answered.
        match listener.wait(LONG) {
            Err(error) => break error,
            Ok(hints) => assert!(
                !hints.is_empty(),
                "a minute went by and the loss was not noticed"
            ),
        }
    };
    assert!(
        error
            .to_string()
            .starts_with("listening for notifications failed: "),
        "{error}"
    );
    assert!(listener.wait(Duration::ZERO).is_err(), "it stays lost");
}

#[test]
fn a_database_that_is_away_is_an_error() {
    for url in [
        "postgres://nobody@/none?host=/nonexistent&port=1",
        "postgres://\0",
        "nonsense",
    ] {
        let error = Listener::connect(url).unwrap_err().to_string();
        assert!(
            error.len() > "listening for notifications failed: ".len(),
            "{url:?}: {error}"
        );
    }
}
