//! A cancel, and what becomes of it.

use belay_testkit::eventually;
use serde_json::json;

use crate::LONG;
use crate::daemon::Daemon;
use crate::language::Language;
use crate::program::{Options, Program};

pub(crate) fn before_its_start_it_never_starts(language: Language) {
    let daemon = Daemon::start();
    let one_slot = Options {
        slots: 1,
        ..Options::default()
    };
    let _program = Program::start(language, &daemon, &one_slot);
    let first = daemon.enqueue("conf.wait", json!({}));
    daemon.await_begun(first);
    let waiting = daemon.enqueue("conf.echo", json!({}));
    assert_eq!(daemon.cancel(waiting, "no")["outcome"], "cancelled");
    daemon.cancel(first, "and this");
    daemon.await_state(first, "cancelled");
    let last = daemon.enqueue("conf.echo", json!({}));
    daemon.await_state(last, "completed");
    let job = daemon.job(waiting);
    assert_eq!(job["cancel"]["rung"], "never_started");
    assert_eq!(job["attempt"], 0);
}

/// The beats of this worker are so rare that only an event can have told it in time.
pub(crate) fn a_running_job_is_told_at_once(language: Language) {
    let daemon = Daemon::start();
    let rare_beats = Options {
        lease_s: 3600,
        ..Options::default()
    };
    let _program = Program::start(language, &daemon, &rare_beats);
    let id = daemon.enqueue("conf.wait", json!({}));
    daemon.await_state(id, "running");
    told_to_stop(&daemon, id);
}

pub(crate) fn without_events_the_beat_tells(language: Language) {
    let daemon = Daemon::start();
    let silent = Options {
        lease_s: 5,
        events: false,
        ..Options::default()
    };
    let _program = Program::start(language, &daemon, &silent);
    let id = daemon.enqueue("conf.wait", json!({}));
    let job = daemon.await_begun(id);
    assert_eq!(
        job["progress"],
        json!({"done": 1, "total": 2, "message": "waiting"})
    );
    told_to_stop(&daemon, id);
}

fn told_to_stop(daemon: &Daemon, id: i64) {
    let answer = daemon.cancel(id, "changed my mind");
    assert_eq!(answer["outcome"], "cancelling");
    let job = eventually(LONG, || {
        let job = daemon.job(id);
        let state = job["state"].as_str().unwrap().to_owned();
        assert!(state == "cancelling" || state == "cancelled", "{state}");
        (state == "cancelled").then_some(job)
    });
    assert_eq!(job["cancel"]["rung"], "cooperative");
    let detail = &daemon.event(id, "cancelled")["detail"];
    assert_eq!(*detail, json!({"rung": "cooperative"}));
    // This came with the report, so the worker had told before the state did.
    let output = daemon.output(id);
    assert_eq!(output["stdout"], "told to stop: cancel changed my mind\n");
}

pub(crate) fn what_ignores_the_cancel_ends_as_cancelled(language: Language) {
    let daemon = Daemon::start();
    let beats = Options {
        lease_s: 5,
        ..Options::default()
    };
    let _program = Program::start(language, &daemon, &beats);
    let payload = json!({"payload": {"seconds": 4}});
    let id = daemon.enqueue("conf.stubborn", payload);
    daemon.await_begun(id);
    assert_eq!(daemon.cancel(id, "stop")["outcome"], "cancelling");
    let job = daemon.await_state(id, "cancelled");
    let moment = |name: &str| -> chrono::DateTime<chrono::Utc> {
        job[name].as_str().unwrap().parse().unwrap()
    };
    // Not before it had really ended.
    let ran = (moment("finished_at") - moment("started_at")).as_seconds_f64();
    assert!(ran >= 3.9, "{ran}");
    let detail = &daemon.event(id, "cancelled")["detail"];
    assert_eq!(detail["finished_anyway"], "completed");
}

pub(crate) fn a_second_cancel_changes_nothing(language: Language) {
    let daemon = Daemon::start();
    let _program = Program::start(language, &daemon, &Options::default());
    let payload = json!({"payload": {"seconds": 3}});
    let id = daemon.enqueue("conf.stubborn", payload);
    daemon.await_state(id, "running");
    assert_eq!(daemon.cancel(id, "first")["outcome"], "cancelling");
    assert_eq!(daemon.cancel(id, "second")["outcome"], "already");
    let job = daemon.await_state(id, "cancelled");
    assert_eq!(job["cancel"]["reason"], "first");
    assert_eq!(daemon.event(id, "cancel_requested")["reason"], "first");
    assert_eq!(daemon.cancel(id, "third")["outcome"], "already");
    // The slot is free again.
    let next = daemon.enqueue("conf.echo", json!({}));
    daemon.await_state(next, "completed");
}
