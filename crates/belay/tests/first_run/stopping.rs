//! Signals: in good order, at once, and those that mean nothing.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use belay_testkit::{TestDb, eventually};
use rustix::process::Signal;

use crate::support::{Daemon, LONG, Site};

const SLEEP: &str = r#"{"seconds":600}"#;

fn running(site: &Site, payload: &str) -> i64 {
    let job = site.json(&["enqueue", "sleep", "--payload", payload], 0);
    let id = job["id"].as_i64().unwrap();
    site.await_state(id, "running");
    id
}

/// Waits until the daemon has begun to stop.
fn draining(daemon: &Daemon<'_>) {
    eventually(LONG, || {
        let (status, body) = daemon.http("GET", "/readyz", "");
        (status == 503).then_some(body)
    });
}

#[test]
fn running_jobs_may_end() {
    let test = TestDb::new();
    let site = Site::on(test.url());
    let mut daemon = site.start();
    let id = running(&site, r#"{"seconds":2}"#);
    daemon.signal(Signal::INT);
    draining(&daemon);
    // What comes now waits for the next start.
    let late = site.json(&["enqueue", "noop"], 0)["id"].to_string();
    let (status, _, log) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(
        site.json(&["job", &id.to_string()], 0)["state"],
        "completed"
    );
    assert_eq!(site.json(&["job", &late], 0)["state"], "queued");
}

#[test]
fn a_log_that_nobody_reads_any_more_ends_nothing() {
    let site = Site::new();
    let mut daemon = site.start();
    let id = running(&site, SLEEP);
    daemon.close_log();
    // Each of these is logged.
    for _ in 0..2 {
        daemon.signal(Signal::HUP);
    }
    daemon.signal(Signal::TERM);
    draining(&daemon);
    let path = format!("/belay/v1/jobs/{id}/cancel");
    assert_eq!(daemon.http("POST", &path, "{}").0, 200);
    let (status, ..) = daemon.wait();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_cancel_works_while_jobs_are_waited_for() {
    let site = Site::new();
    let mut daemon = site.start();
    let id = running(&site, SLEEP);
    daemon.signal(Signal::TERM);
    draining(&daemon);
    let path = format!("/belay/v1/jobs/{id}/cancel");
    let (status, body) = daemon.http("POST", &path, "{}");
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("cancelling"), "{body}");
    let (status, _, log) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{log}");

    let daemon = site.start();
    let job = site.json(&["job", &id.to_string()], 0);
    assert_eq!(job["state"], "cancelled");
    daemon.stop();
}

#[test]
fn a_second_signal_does_not_wait_for_jobs() {
    let test = TestDb::new();
    let site = Site::on(test.url()).configured("[worker]\ndrain = \"7d\"\n");
    let mut daemon = site.start();
    let id = running(&site, SLEEP);
    daemon.signal(Signal::TERM);
    draining(&daemon);
    daemon.signal(Signal::TERM);
    let began = Instant::now();
    let (status, _, log) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(began.elapsed() < Duration::from_secs(30), "{log}");
    assert!(log.contains("stopping at once"), "{log}");
    // It was given back, with its attempt, and nobody has to wait for a lease to run out.
    let job = site.json(&["job", &id.to_string()], 0);
    assert!(
        ["queued", "scheduled"].contains(&job["state"].as_str().unwrap()),
        "{job}"
    );
    assert_eq!(job["attempt"], 0);
}

#[test]
fn the_drain_period_ends() {
    let test = TestDb::new();
    let site = Site::on(test.url()).configured("[worker]\ndrain = \"200ms\"\n");
    let daemon = site.start();
    let id = running(&site, SLEEP);
    daemon.stop();
    let job = site.json(&["job", &id.to_string()], 0);
    assert_eq!(job["attempt"], 0, "{job}");
}

#[test]
fn a_service_manager_is_told() {
    let test = TestDb::new();
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(LONG)).unwrap();
    let site = Site::on(test.url())
        .with_env("NOTIFY_SOCKET", path.to_str().unwrap())
        .with_env("WATCHDOG_USEC", "200000");
    let daemon = site.start();
    let next = || {
        let mut buffer = [0; 200];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    assert_eq!(next().trim(), "READY=1");
    assert_eq!(next().trim(), "WATCHDOG=1");
    assert_eq!(next().trim(), "WATCHDOG=1");
    daemon.stop();
    let mut last = next();
    while last.trim() == "WATCHDOG=1" {
        last = next();
    }
    assert_eq!(last.trim(), "STOPPING=1");
}

#[test]
fn a_hang_up_is_ignored() {
    let test = TestDb::new();
    let site = Site::on(test.url());
    let daemon = site.start();
    daemon.signal(Signal::HUP);
    assert_eq!(daemon.get("/healthz")["status"], "ok");
    let (_, log) = daemon.stop();
    assert!(log.contains("SIGHUP is ignored"), "{log}");
}

#[test]
fn a_stop_during_the_start_is_orderly_too() {
    let site = Site::new();
    let mut daemon = site.launch();
    // The signals are listened to before the directory is made.
    eventually(LONG, || site.data().exists().then_some(()));
    daemon.signal(Signal::TERM);
    let (status, _, log) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    // Whatever there is by now, the next start makes something of it.
    site.start().stop();
}

#[test]
fn the_private_database_does_not_outlive_a_killed_daemon() {
    // Short, because the job of the killed daemon ends when its lease does.
    let site = Site::new().configured("[worker]\nlease = \"2s\"\nbeat = \"200ms\"\n");
    let mut daemon = site.start();
    let pid_file = site.data().join("pg/pgdata/postmaster.pid");
    let pid = fs::read_to_string(&pid_file).unwrap();
    let process = format!("/proc/{}", pid.lines().next().unwrap());
    assert!(fs::exists(&process).unwrap());
    let id = running(&site, SLEEP);
    daemon.signal(Signal::KILL);
    let (status, _, _) = daemon.wait();
    assert!(!status.success());
    eventually(LONG, || (!fs::exists(&process).unwrap()).then_some(()));

    // Files that a dead daemon left do not keep the next one from starting.
    for name in ["address", "database"] {
        assert!(site.data().join(name).exists());
    }
    let daemon = site.start();
    site.run(&["cancel", "--wait", &id.to_string()], 5);
    daemon.stop();
}
