//! What a kill -9 costs: nothing that was acknowledged. Under load, of the daemon and of PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod check;
mod daemon;
mod held;
mod load;

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use belay_testkit::{TestCluster, TestDb, eventually};
use diesel::connection::Connection;
use diesel::pg::PgConnection;

use check::{LONG, count};
use daemon::{Daemon, Site};
use load::Load;

#[test]
fn kill_9_of_the_daemon_under_load_loses_nothing_acknowledged() {
    let db = TestDb::new();
    let site = Site::new(db.url());
    let mut daemon = Daemon::start(&site);
    let load = Load::start(db.url());
    for _ in 0..4 {
        let so_far = load.acknowledged.load(SeqCst);
        eventually(LONG, || {
            (load.acknowledged.load(SeqCst) > so_far + 400).then_some(())
        });
        // Something is running, too.
        let conn = &mut db.conn();
        eventually(LONG, || {
            (count(
                conn,
                "select count(*) from belay.job where state = 'running'",
            ) > 0)
                .then_some(())
        });
        daemon.kill_9();
        daemon = Daemon::start(&site);
    }
    let seen = load.stop();
    check::everything_ended_once(&mut db.conn(), &seen);
    check::no_command_is_left(&site.mark);
    daemon.stop();
}

#[test]
fn kill_9_of_postgresql_under_load_loses_nothing_acknowledged() {
    let cluster = TestCluster::start();
    let url = cluster.migrated("jobs");
    let site = Site::new(&url);
    let daemon = Daemon::start(&site);
    let load = Load::start(&url);
    for _ in 0..3 {
        let so_far = load.acknowledged.load(SeqCst);
        eventually(LONG, || {
            (load.acknowledged.load(SeqCst) > so_far + 400).then_some(())
        });
        cluster.kill9().unwrap();
        cluster.restart().unwrap();
    }
    let so_far = load.acknowledged.load(SeqCst);
    eventually(LONG, || {
        (load.acknowledged.load(SeqCst) > so_far + 100).then_some(())
    });
    let seen = load.stop();
    assert!(daemon.is_alive(), "the daemon itself survives");
    let mut conn = eventually(LONG, || PgConnection::establish(&url).ok());
    check::everything_ended_once(&mut conn, &seen);
    check::no_command_is_left(&site.mark);
    daemon.stop();
}

/// The lease of these daemons.
const LEASE: Duration = Duration::from_secs(4);
