//! The table of what an accepted cancel means for the work itself, by what the work is.

use std::sync::Arc;
use std::time::Duration;

use belay_core::JobState;
use belay_core::ops::NewJob;
use belay_testkit::{eventually, processes_with};
use belay_worker::KindConfig;
use belay_worker::executors::command::{CommandExecutor, CommandSettings};

use crate::bench::{Bench, PATIENCE, end, long};

#[test]
fn command() {
    let bench = Bench::new();
    let mark = format!("belay-guarantee-{}", std::process::id());
    let script = format!(
        "trap '' TERM; (setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done; : {mark}' &); \
         (sh -c '(while :; do sleep 1; done; : {mark}) &' &); while :; do sleep 1; done; : {mark}"
    );
    let mut settings = CommandSettings::new(vec!["/bin/sh".into(), "-c".into(), script]);
    settings.grace = Duration::from_millis(500);
    settings.guard = vec![env!("CARGO_BIN_EXE_belay").into(), "guard".into()];
    let executor = CommandExecutor::new(settings).unwrap();
    let worker = bench.worker(
        vec![KindConfig::new("tree", "command", Arc::new(executor))],
        true,
    );
    let id = bench.enqueue(&NewJob::new("tree"));
    eventually(PATIENCE, || {
        (processes_with(&mark).len() >= 3).then_some(())
    });
    bench.cancel(id);
    let job = bench.until(id, JobState::Cancelled);
    // At the very moment at which it says so.
    assert_eq!(processes_with(&mark), Vec::<String>::new());
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("kill"));
    end(&worker);
}

#[test]
fn built_in() {
    let bench = Bench::new();
    let worker = bench.worker(Vec::new(), true);
    let id = bench.enqueue(&long());
    bench.until(id, JobState::Running);
    bench.cancel(id);
    let job = bench.until(id, JobState::Cancelled);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("cooperative"));
    end(&worker);
}
