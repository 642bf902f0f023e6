//! Leases that run out, and daemons that go away.

use std::time::{Duration, Instant};

use belay_testkit::eventually;
use rustix::process::Signal;
use serde_json::json;

use crate::LONG;
use crate::daemon::Daemon;
use crate::language::Language;
use crate::program::{Options, Program};
use crate::proxy::Proxy;

fn short_lease() -> Options {
    Options {
        lease_s: 2,
        ..Options::default()
    }
}

/// Waits until the worker has registered a second time.
fn registers_anew(program: &Program, daemon: &Daemon) {
    eventually(LONG, || {
        (program.registrations(daemon).len() > 1).then_some(())
    });
}

pub(crate) fn a_frozen_worker_reports_nothing_that_counts(language: Language) {
    let daemon = Daemon::start();
    let frozen = Program::start(language, &daemon, &short_lease());
    let payload = json!({"payload": {"seconds": 2}});
    let id = daemon.enqueue("conf.stubborn", payload);
    daemon.await_begun(id);
    frozen.signal(Signal::STOP);
    let second = Program::start(language, &daemon, &Options::default());
    let [theirs] = second.registrations(&daemon)[..] else {
        panic!("one registration");
    };
    daemon.await_job(id, |job| {
        job["state"] == "running" && job["worker"] == theirs
    });
    // Its handler finds that its two seconds are over, and the worker that its lease is.
    frozen.signal(Signal::CONT);
    registers_anew(&frozen, &daemon);
    let job = daemon.await_state(id, "completed");
    assert_eq!(
        (&job["worker"], &job["attempt"]),
        (&json!(theirs), &json!(2))
    );
    daemon.event(id, "lease_lost");
    daemon.event(id, "completed");
}

pub(crate) fn a_frozen_worker_begins_anew(language: Language) {
    let daemon = Daemon::start();
    let program = Program::start(language, &daemon, &short_lease());
    let id = daemon.enqueue("conf.wait", json!({}));
    daemon.await_begun(id);
    program.signal(Signal::STOP);
    daemon.await_state(id, "queued");
    program.signal(Signal::CONT);
    let job = daemon.await_state(id, "running");
    let now = *program.registrations(&daemon).last().unwrap();
    assert_eq!((&job["worker"], &job["attempt"]), (&json!(now), &json!(2)));
    // The first attempt ended when it was told that the lease was over; the second is told of the cancel.
    daemon.cancel(id, "the end");
    daemon.await_state(id, "cancelled");
    let output = daemon.output(id);
    assert_eq!(output["attempt"], 2);
    assert_eq!(output["stdout"], "told to stop: cancel the end\n");
}

/// It was frozen while it waited for work, which was given to it then.
pub(crate) fn an_answer_that_is_read_too_late_starts_nothing(language: Language) {
    let daemon = Daemon::start();
    let program = Program::start(language, &daemon, &short_lease());
    let first = daemon.enqueue("conf.echo", json!({}));
    daemon.await_state(first, "completed");
    program.signal(Signal::STOP);
    let id = daemon.enqueue("conf.echo", json!({}));
    daemon.await_job(id, |job| job["state"] == "queued" && job["attempt"] == 1);
    let before = program.log();
    program.signal(Signal::CONT);
    let job = daemon.await_state(id, "completed");
    assert_eq!(job["attempt"], 2);
    let since = program.log().split_off(before.len());
    assert!(since.contains("attempt 2 under fence"), "{since}");
    assert!(!since.contains("attempt 1 under fence"), "{since}");
}

pub(crate) fn the_jobs_of_a_killed_worker_go_to_another(language: Language) {
    let daemon = Daemon::start();
    let mut first = Program::start(language, &daemon, &short_lease());
    let id = daemon.enqueue("conf.wait", json!({}));
    daemon.await_begun(id);
    let second = Program::start(language, &daemon, &short_lease());
    first.kill_9();
    let job = daemon.await_job(id, |job| job["state"] == "running" && job["attempt"] == 2);
    assert_eq!(
        job["worker"],
        *second.registrations(&daemon).first().unwrap()
    );
    daemon.cancel(id, "that will do");
    daemon.await_state(id, "cancelled");
}

pub(crate) fn a_worker_outlives_the_daemon(language: Language) {
    let mut daemon = Daemon::start();
    let program = Program::start(language, &daemon, &Options::default());
    let payload = json!({"payload": {"seconds": 6}});
    let ends = daemon.enqueue("conf.stubborn", payload);
    let waits = daemon.enqueue("conf.wait", json!({}));
    for id in [ends, waits] {
        daemon.await_begun(id);
    }
    daemon.kill_9();
    daemon.restart();
    let job = daemon.await_state(ends, "completed");
    assert_eq!((&job["attempt"], &job["fence"]), (&json!(1), &json!(1)));
    assert_eq!(daemon.job(waits)["state"], "running");
    assert_eq!(daemon.cancel(waits, "enough")["outcome"], "cancelling");
    daemon.await_state(waits, "cancelled");
    let next = daemon.enqueue("conf.echo", json!({}));
    let job = daemon.await_state(next, "completed");
    // With the same registration.
    assert_eq!(
        json!(program.registrations(&daemon)),
        json!([job["worker"]])
    );
}

/// A worker with one slot, and a lease that does not run out in the time of a test.
fn behind_a_proxy(language: Language, daemon: &Daemon) -> (Proxy, Program) {
    let proxy = Proxy::start(&daemon.url());
    let options = Options {
        slots: 1,
        lease_s: 3600,
        ..Options::default()
    };
    let program = Program::start_at(&proxy.url(), language, daemon, &options);
    (proxy, program)
}

pub(crate) fn what_a_lost_claim_gave_goes_back(language: Language) {
    let daemon = Daemon::start();
    let (proxy, _program) = behind_a_proxy(language, &daemon);
    proxy.lose("\"jobs\":[{");
    let id = daemon.enqueue("conf.echo", json!({}));
    let job = daemon.await_state(id, "completed");
    assert!(proxy.has_lost());
    // It came back with its attempt, and not because of the lease.
    assert_eq!(job["attempt"], 1);
    let events = daemon.events(id);
    let mut all = events.as_array().unwrap().iter();
    assert!(
        all.all(|event| event["event"] != "lease_lost"),
        "{events:#}"
    );
}

pub(crate) fn a_report_is_repeated_until_it_is_answered(language: Language) {
    let daemon = Daemon::start();
    let (proxy, _program) = behind_a_proxy(language, &daemon);
    proxy.lose("\"results\":[{");
    let first = daemon.enqueue("conf.echo", json!({}));
    daemon.await_state(first, "completed");
    eventually(LONG, || proxy.has_lost().then_some(()));
    // The second report on it is refused, and the worker goes on.
    let second = daemon.enqueue("conf.echo", json!({}));
    let job = daemon.await_state(second, "completed");
    assert_eq!(job["attempt"], 1);
    daemon.event(first, "completed");
}

/// With nobody there to say that others may have its jobs, it stops them by its own clock, before they can.
pub(crate) fn jobs_stop_before_the_lease_is_over(language: Language) {
    let mut daemon = Daemon::start();
    let options = Options {
        lease_s: 10,
        ..Options::default()
    };
    let program = Program::start(language, &daemon, &options);
    let id = daemon.enqueue("conf.wait", json!({}));
    daemon.await_begun(id);
    // The lease is counted from a moment before this.
    let began = Instant::now();
    daemon.kill_9();
    eventually(LONG, || {
        program.log().contains("told to stop: lost").then_some(())
    });
    assert!(began.elapsed() < Duration::from_secs(10));
    // Whether a rescue was faster or the worker gave it back: it runs again.
    daemon.restart();
    daemon.await_job(id, |job| {
        job["state"] == "running" && job["fence"].as_i64().unwrap() >= 2
    });
}
