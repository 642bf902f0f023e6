//! A database that goes away and comes back.

use std::fs;
use std::thread;

use belay_testkit::{TestCluster, eventually};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{LONG, Site};

#[test]
fn a_private_database_that_dies_is_started_again() {
    let site = Site::new();
    let daemon = site.start();
    let job = site.json(&["enqueue", "sleep", "--payload", r#"{"seconds":600}"#], 0);
    let id = job["id"].as_i64().unwrap();
    site.await_state(id, "running");
    let pid_file = site.data().join("pg/pgdata/postmaster.pid");
    let postmaster = || -> Option<i32> {
        let text = fs::read_to_string(&pid_file).ok()?;
        text.lines().next()?.parse().ok()
    };
    let before = postmaster().unwrap();
    kill_process(Pid::from_raw(before).unwrap(), Signal::KILL).unwrap();
    eventually(LONG, || postmaster().filter(|pid| *pid != before));
    // All of it works again: the daemon's requests, its worker, the commands.
    eventually(LONG, || {
        let (status, body) = daemon.http("GET", "/readyz", "");
        (status == 200).then_some(body)
    });
    site.run(
        &["cancel", "--wait", "--timeout", "50s", &id.to_string()],
        5,
    );
    let next = site.json(&["enqueue", "noop"], 0)["id"].as_i64().unwrap();
    site.await_state(next, "completed");
    let (_, log) = daemon.stop();
    assert!(log.contains("the private database is back"), "{log}");
}

#[test]
fn requests_are_answered_503_while_the_database_is_away() {
    let cluster = TestCluster::start();
    let url = cluster.migrated("jobs");
    let site = Site::on(&url).configured("[database]\npool_wait = \"300ms\"\n");
    let daemon = site.start();
    daemon.get("/belay/v1/jobs");
    cluster.kill9().unwrap();
    eventually(LONG, || {
        let (status, body) = daemon.http("GET", "/belay/v1/jobs", "");
        (status == 503).then_some(body)
    });
    // The process lives, it is just not ready.
    assert_eq!(daemon.get("/healthz")["status"], "ok");
    assert_eq!(daemon.http("GET", "/readyz", "").0, 503);
    let (_, metrics) = daemon.http("GET", "/metrics", "");
    assert!(metrics.contains("belay_build_info"), "{metrics}");
    cluster.restart().unwrap();
    eventually(LONG, || {
        let (status, _) = daemon.http("GET", "/readyz", "");
        (status == 200).then_some(())
    });
    let id = site.json(&["enqueue", "noop"], 0)["id"].as_i64().unwrap();
    site.await_state(id, "completed");
    daemon.stop();
}

#[test]
fn a_start_waits_for_its_database() {
    let cluster = TestCluster::start();
    let url = cluster.url("postgres");
    cluster.kill9().unwrap();
    let site = Site::on(&url);
    let daemon = thread::scope(|scope| {
        let starting = scope.spawn(|| site.start());
        cluster.restart().unwrap();
        starting.join().unwrap()
    });
    daemon.get("/belay/v1/jobs");
    daemon.stop();
}
