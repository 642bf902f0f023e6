//! A worker that is asked to end.

use rustix::process::Signal;
use serde_json::json;

use crate::daemon::Daemon;
use crate::language::Language;
use crate::program::{Options, Program};

pub(crate) fn what_runs_may_end_and_what_waits_stays(language: Language) {
    let daemon = Daemon::start();
    let one_slot = Options {
        slots: 1,
        lease_s: 5,
        ..Options::default()
    };
    let mut program = Program::start(language, &daemon, &one_slot);
    let payload = json!({"payload": {"seconds": 4}});
    let runs = daemon.enqueue("conf.stubborn", payload);
    daemon.await_begun(runs);
    let waits = daemon.enqueue("conf.echo", json!({}));
    program.signal(Signal::TERM);
    let status = program.wait();
    assert!(status.success(), "{status}");
    let job = daemon.job(runs);
    assert_eq!(
        (&job["state"], &job["attempt"]),
        (&json!("completed"), &json!(1))
    );
    let job = daemon.job(waits);
    assert_eq!(
        (&job["state"], &job["fence"]),
        (&json!("queued"), &json!(0))
    );
    // It said that it has ended; nobody has to wait for its lease.
    assert_eq!(daemon.workers()[0]["state"], "dead");
}

pub(crate) fn what_does_not_end_in_time_is_given_back(language: Language) {
    let daemon = Daemon::start();
    let short = Options {
        drain_s: 0.5,
        lease_s: 5,
        ..Options::default()
    };
    let mut program = Program::start(language, &daemon, &short);
    let id = daemon.enqueue("conf.wait", json!({}));
    daemon.await_begun(id);
    program.signal(Signal::TERM);
    let status = program.wait();
    assert!(status.success(), "{status}");
    let job = daemon.await_state(id, "queued");
    assert_eq!(job["attempt"], 0);
    daemon.event(id, "released");
    assert_eq!(daemon.workers()[0]["state"], "dead");
    // Another one runs it.
    let _second = Program::start(language, &daemon, &Options::default());
    daemon.await_state(id, "running");
}
