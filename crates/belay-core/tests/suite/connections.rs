//! Connections: what a pool and a session promise, also behind a transaction pooler, and how errors of the database are told apart.

use std::time::Duration;

use belay_core::db::{Db, DbConfig, Role};
use belay_core::ops::{self, CancelLimit};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::common::{count, make, me, pid, run, state, text, until_blocked};

fn pool(db: &TestDb, pooler: bool) -> Db {
    let config = DbConfig {
        pooler,
        pool_size: 1,
        pool_wait: Duration::from_secs(2),
        ..DbConfig::new(db.url())
    };
    Db::new(config).unwrap()
}

fn show(conn: &mut PgConnection, setting: &str) -> String {
    text(conn, &format!("select current_setting('{setting}')"))
}

#[test]
fn a_session_has_the_settings_of_its_role() {
    let db = TestDb::new();
    let pool = pool(&db, false);
    for (role, seqscan, statement, lock) in [
        (Role::Request, "on", "10s", "3s"),
        (Role::Hot, "off", "10s", "250ms"),
        (Role::Beat, "off", "2s", "2s"),
        (Role::Duty, "off", "1min", "2s"),
    ] {
        let mut session = pool.session(role).unwrap();
        let conn = session.raw();
        let found = [
            "enable_seqscan",
            "statement_timeout",
            "lock_timeout",
            "jit",
            "TimeZone",
        ]
        .map(|setting| show(conn, setting));
        assert_eq!(found, [seqscan, statement, lock, "off", "UTC"], "{role:?}");
    }
    let found = pool.read(|conn| Ok(show(conn, "lock_timeout"))).unwrap();
    assert_eq!(found, "3s");
}

#[test]
fn behind_a_pooler_nothing_outlives_the_transaction() {
    let db = TestDb::new();
    let pool = pool(&db, true);
    let default = show(&mut db.conn(), "lock_timeout");
    let mut session = pool.session(Role::Hot).unwrap();
    assert_eq!(
        session.run(|conn| Ok(show(conn, "lock_timeout"))).unwrap(),
        "250ms"
    );
    assert_eq!(
        session.tx(|conn| Ok(show(conn, "enable_seqscan"))).unwrap(),
        "off"
    );
    assert_eq!(show(session.raw(), "lock_timeout"), default);
    assert_eq!(
        pool.tx(|conn| Ok(show(conn, "lock_timeout"))).unwrap(),
        "3s"
    );
    let id = pool
        .tx(|conn| ops::enqueue(conn, 1, &ops::NewJob::new("noop"), None, false, &me()))
        .unwrap()
        .id;
    session
        .run(|conn| ops::cancel_one(conn, None, id, &me(), None, CancelLimit::Any))
        .unwrap();
    assert_eq!(
        count(session.raw(), "select count(*) from pg_prepared_statements"),
        0
    );
    assert_eq!(state(&mut db.conn(), id), JobState::Cancelled);
}

#[test]
fn a_transaction_that_fails_leaves_nothing() {
    let db = TestDb::new();
    for pooler in [false, true] {
        let pool = pool(&db, pooler);
        let failed: Result<(), Error> = pool.tx(|conn| {
            ops::enqueue(conn, 1, &ops::NewJob::new("noop"), None, false, &me())?;
            Err(Error::missing("anything"))
        });
        assert!(matches!(failed, Err(Error::Missing { .. })));
        assert_eq!(count(&mut db.conn(), "select count(*) from belay.job"), 0);
        assert_eq!(pool.pool_state(), (1, 1), "the connection is back");
    }
}

#[test]
fn two_transactions_in_each_others_way_are_tried_again_three_times() {
    let db = TestDb::new();
    let pool = pool(&db, false);
    for (why, expected) in [
        ("could not serialize access", 4),
        ("deadlock detected", 4),
        ("canceling statement due to lock timeout", 1),
    ] {
        let mut tries = 0;
        let failed: Result<(), Error> = pool.tx(|_| {
            tries += 1;
            Err(Error::Busy(why.into()))
        });
        assert!(matches!(failed, Err(Error::Busy(_))));
        assert_eq!(tries, expected, "{why}");
    }
}

#[test]
fn a_pool_that_is_used_up_is_busy_and_a_database_that_is_away_is_unreachable() {
    let db = TestDb::new();
    let pool = pool(&db, false);
    let busy = pool.read(|_| pool.read(|_| Ok(())));
    assert!(
        matches!(&busy, Err(Error::Busy(why)) if why.contains("all 1 database connections")),
        "{busy:?}"
    );
    let nowhere = DbConfig {
        pool_wait: Duration::from_millis(50),
        ..DbConfig::new("postgres://nobody@/none?host=/nonexistent&port=1")
    };
    let nowhere = Db::new(nowhere).unwrap();
    assert!(matches!(
        nowhere.read(|_| Ok(())),
        Err(Error::Unreachable(_))
    ));
    assert!(matches!(
        nowhere.session(Role::Hot),
        Err(Error::Unreachable(_))
    ));
    let none = DbConfig {
        pool_size: 0,
        ..DbConfig::new(db.url())
    };
    assert!(matches!(
        Db::new(none),
        Err(Error::Invalid {
            field: "pool_size",
            ..
        })
    ));
}

#[test]
fn a_password_is_not_shown() {
    let config = DbConfig::new("postgres://u:secret@/d");
    let shown = format!("{config:?} {:?}", Db::new(config.clone()).unwrap());
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn a_statement_that_takes_too_long_is_busy() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    run(conn, "set statement_timeout = '10ms'");
    let error = Error::from(conn.batch_execute("select pg_sleep(60)").unwrap_err());
    assert!(
        matches!(&error, Error::Busy(_)) && error.is_transient(),
        "{error:?}"
    );
}

#[test]
fn a_connection_that_was_ended_is_unreachable() {
    let db = TestDb::new();
    let mut conn = db.conn();
    let victim = pid(&mut conn);
    run(
        &mut db.conn(),
        &format!("select pg_terminate_backend({victim})"),
    );
    for _ in 0..2 {
        let error = ops::last_job_id(&mut conn).unwrap_err();
        assert!(
            matches!(&error, Error::Unreachable(_)) && error.is_transient(),
            "{error:?}"
        );
    }
}

#[test]
fn a_standby_is_unreachable_for_writing() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    run(conn, "set default_transaction_read_only = on");
    let error = ops::enqueue(conn, 1, &ops::NewJob::new("noop"), None, false, &me()).unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
}

/// Two callers that cancel in opposite order, in transactions of their own, can block each other; one is told to try again.
#[test]
fn a_deadlock_of_two_callers_is_found_and_is_busy() {
    let db = TestDb::new();
    let [one, two] = [(); 2].map(|()| make(&mut db.conn(), JobState::Running).id);
    let (mut first, mut second) = (db.conn(), db.conn());
    let cancel = |conn: &mut PgConnection, id| {
        ops::cancel_one(conn, None, id, &me(), None, CancelLimit::Any)
    };
    for (conn, id) in [(&mut first, one), (&mut second, two)] {
        run(conn, "set deadlock_timeout = '10ms'; begin");
        cancel(conn, id).unwrap();
    }
    let waiting = pid(&mut first);
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| {
            let answer = cancel(&mut first, two);
            run(&mut first, "commit");
            answer
        });
        until_blocked(&mut db.conn(), waiting);
        let b = cancel(&mut second, one);
        run(&mut second, "commit");
        (a.join().unwrap(), b)
    });
    let refused = [&a, &b]
        .into_iter()
        .filter(|answer| matches!(answer, Err(Error::Busy(why)) if why.contains("deadlock")))
        .count();
    assert_eq!(refused, 1, "{a:?} {b:?}");
    assert_eq!(
        [&a, &b].into_iter().filter(|answer| answer.is_ok()).count(),
        1
    );
}
