//! Waiting until another session waits for a lock, which is how a race is laid out without sleeping.

use std::time::Duration;

use belay_testkit::{TestDb, eventually};
use diesel::prelude::*;

use super::{count, run};

/// The number of the server process behind a connection.
pub(crate) fn pid(conn: &mut PgConnection) -> i64 {
    count(conn, "select pg_backend_pid()::bigint")
}

/// Returns when the session with that number waits for a lock that another session holds.
#[track_caller]
pub(crate) fn until_blocked(watcher: &mut PgConnection, pid: i64) {
    eventually(Duration::from_secs(60), || {
        let blockers = count(
            watcher,
            &format!("select cardinality(pg_blocking_pids({pid}))::bigint"),
        );
        (blockers > 0).then_some(())
    });
}

/// Lets `second` run until it waits for a lock that `first` holds, ends `first` with `end`, and answers what `second` said.
#[track_caller]
pub(crate) fn overtaken<T: Send>(
    db: &TestDb,
    first: &mut PgConnection,
    end: &str,
    second: impl FnOnce(&mut PgConnection) -> T + Send,
) -> T {
    let mut conn = db.conn();
    let waiting = pid(&mut conn);
    std::thread::scope(|scope| {
        let answer = scope.spawn(move || second(&mut conn));
        until_blocked(&mut db.conn(), waiting);
        run(first, end);
        answer.join().unwrap()
    })
}
