//! Workers beside each other, and their ends.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use belay_core::JobState;
use belay_core::ops::NewJob;
use belay_testkit::{Gate, eventually};
use belay_worker::executors::StopCause;
use belay_worker::executors::native::{JobError, Native};

use super::{builder, start, sync};
use crate::support::{Bench, PATIENCE, end};

#[test]
fn two_workers_share_the_jobs_and_each_runs_once() {
    let bench = Bench::new();
    let ran = Arc::new(Mutex::new(Vec::new()));
    let gates = [Gate::new("the first"), Gate::new("the second")];
    let workers = [0, 1].map(|n: usize| {
        let (ran, gate) = (Arc::clone(&ran), gates[n].clone());
        builder(&bench)
            .slots(2)
            .kind(sync("work", move |job| {
                gate.wait();
                ran.lock().unwrap().push((n, job.id()));
                Ok(())
            }))
            .start()
            .unwrap()
    });
    let ids = bench.enqueue_many(&vec![NewJob::new("work"); 50]);
    for gate in &gates {
        gate.reached(2);
    }
    for gate in &gates {
        gate.open();
    }
    eventually(PATIENCE, || {
        (bench.count(JobState::Completed) == 50).then_some(())
    });
    for worker in &workers {
        end(worker);
    }
    let ran = ran.lock().unwrap();
    let whose: HashSet<usize> = ran.iter().map(|(n, _)| *n).collect();
    let mut jobs: Vec<i64> = ran.iter().map(|(_, id)| *id).collect();
    jobs.sort_unstable();
    assert_eq!(jobs, ids);
    assert_eq!(whose.len(), 2);
}

#[test]
fn a_drain_lets_closures_finish_and_then_stops_them_with_their_attempt() {
    let bench = Bench::new();
    let gate = Gate::new("finishes");
    let theirs = gate.clone();
    let worker = builder(&bench)
        .drain(Duration::from_secs(2))
        .kind(sync("finishes", move |_| {
            theirs.wait();
            Ok(())
        }))
        .kind(sync("obeys", |job| {
            while !job.wait_cancelled(Duration::from_secs(60)) {}
            assert_eq!(job.stop_cause(), Some(StopCause::Shutdown));
            Err(JobError::stopped())
        }))
        .kind(
            Native::asynchronous("deaf", |_| std::future::pending())
                .grace(Duration::from_millis(10)),
        )
        .start()
        .unwrap();
    let finishes = bench.enqueue(&NewJob::new("finishes"));
    let stopped = ["obeys", "deaf"].map(|kind| bench.enqueue(&NewJob::new(kind)));
    gate.reached(1);
    for id in stopped {
        bench.until(id, JobState::Running);
    }
    worker.drain();
    gate.open();
    assert!(worker.join_timeout(PATIENCE));
    assert_eq!(bench.job(finishes).state, JobState::Completed);
    for id in stopped {
        let job = bench.job(id);
        assert_eq!((job.state, job.attempt), (JobState::Scheduled, 0));
    }
}

#[test]
fn it_works_until_it_is_told_to_end() {
    let bench = Bench::new();
    let gate = Gate::new("works");
    let theirs = gate.clone();
    let worker = start(
        &bench,
        [sync("work", move |_| {
            theirs.wait();
            Ok(())
        })],
    );
    let id = bench.enqueue(&NewJob::new("work"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(worker.run_until(async {
        gate.reached(1);
        gate.open();
    }));
    assert_eq!(bench.job(id).state, JobState::Completed);
    // It has ended.
    runtime.block_on(worker.run_until(std::future::pending()));
    end(&worker);
}
