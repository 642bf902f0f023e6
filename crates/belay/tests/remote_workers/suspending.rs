//! Work that is held still, and goes on.

use std::thread;
use std::time::Duration;

use belay_testkit::eventually;
use serde_json::json;

use crate::LONG;
use crate::daemon::Daemon;
use crate::language::Language;
use crate::program::{Options, Program};

fn start(language: Language) -> (Daemon, Program) {
    let daemon = Daemon::start();
    // A beat a second, each of which tells how far the jobs are.
    let options = Options {
        lease_s: 5,
        ..Options::default()
    };
    let program = Program::start(language, &daemon, &options);
    (daemon, program)
}

fn done(daemon: &Daemon, id: i64) -> i64 {
    daemon.job(id)["progress"]["done"].as_i64().unwrap()
}

fn held_still(daemon: &Daemon, id: i64) -> i64 {
    eventually(LONG, || {
        let before = done(daemon, id);
        // There were at least two beats in this time.
        thread::sleep(Duration::from_secs(3));
        (done(daemon, id) == before).then_some(before)
    })
}

pub(crate) fn a_suspended_job_stands_still_and_goes_on(language: Language) {
    let (daemon, _program) = start(language);
    let id = daemon.enqueue("conf.suspend", json!({}));
    daemon.await_begun(id);
    daemon.post(&format!("/jobs/{id}/suspend"), &json!({}));
    assert_eq!(daemon.job(id)["state"], "suspended");
    let still = held_still(&daemon, id);
    daemon.post(&format!("/jobs/{id}/resume"), &json!({}));
    let job = daemon.await_job(id, |job| job["progress"]["done"].as_i64().unwrap() > still);
    // It is the same attempt.
    assert_eq!((&job["attempt"], &job["fence"]), (&json!(1), &json!(1)));
    assert_eq!(daemon.cancel(id, "seen enough")["outcome"], "cancelling");
    daemon.await_state(id, "cancelled");
}

pub(crate) fn a_report_on_a_suspended_job_waits(language: Language) {
    let (daemon, _program) = start(language);
    let payload = json!({"payload": {"seconds": 2}});
    let id = daemon.enqueue("conf.stubborn", payload);
    daemon.await_begun(id);
    daemon.post(&format!("/jobs/{id}/suspend"), &json!({}));
    // It ends nevertheless, which nobody can take yet.
    thread::sleep(Duration::from_secs(4));
    assert_eq!(daemon.job(id)["state"], "suspended");
    daemon.post(&format!("/jobs/{id}/resume"), &json!({}));
    let job = daemon.await_state(id, "completed");
    assert_eq!((&job["attempt"], &job["fence"]), (&json!(1), &json!(1)));
}

pub(crate) fn a_suspended_job_can_be_cancelled(language: Language) {
    let (daemon, _program) = start(language);
    let id = daemon.enqueue("conf.suspend", json!({}));
    daemon.await_begun(id);
    daemon.post(&format!("/jobs/{id}/suspend"), &json!({}));
    held_still(&daemon, id);
    assert_eq!(daemon.cancel(id, "no more")["outcome"], "cancelling");
    let job = daemon.await_state(id, "cancelled");
    assert_eq!(job["cancel"]["rung"], "cooperative");
}
