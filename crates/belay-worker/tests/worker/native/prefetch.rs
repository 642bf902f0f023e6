//! Jobs that are claimed ahead of their start.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use belay_core::JobState;
use belay_core::ops::{self, NewJob, Outcome};
use belay_testkit::{Gate, eventually};
use belay_worker::executors::native::{JobContext, Native};

use super::{Outcome as Ended, builder, start};
use crate::support::{Bench, PATIENCE, actor, end};

/// Holds its jobs at a gate and notes them.
fn held(gate: &Gate) -> (Native, Arc<Mutex<Vec<i64>>>) {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let (gate, theirs) = (gate.clone(), Arc::clone(&ran));
    let run = move |job: JobContext| -> Ended {
        theirs.lock().unwrap().push(job.id());
        gate.wait();
        Ok(())
    };
    (Native::sync("short", run), ran)
}

fn running(bench: &Bench) -> i64 {
    bench.count(JobState::Running)
}

#[test]
fn a_window_is_claimed_ahead_and_only_so_many_run_at_once() {
    let bench = Bench::new();
    let gate = Gate::new("short work");
    let (kind, ran) = held(&gate);
    // Without any slot: it needs none.
    let worker = builder(&bench)
        .slots(0)
        .kind(kind.prefetch(10, 3))
        .start()
        .unwrap();
    bench.enqueue_many(&vec![NewJob::new("short"); 40]);
    gate.reached(3);
    eventually(PATIENCE, || (running(&bench) == 13).then_some(()));
    assert_eq!(ran.lock().unwrap().len(), 3);
    assert_eq!(bench.count(JobState::Queued), 27);
    assert_eq!(worker.status().running_light, 13);
    gate.open();
    eventually(PATIENCE, || {
        (bench.count(JobState::Completed) == 40).then_some(())
    });
    end(&worker);
    let ran = ran.lock().unwrap();
    assert_eq!(ran.len(), 40);
    assert_eq!(worker.status().running_light, 0);
}

#[test]
fn a_cancel_takes_a_prefetched_job_out_before_any_of_its_code_runs() {
    let bench = Bench::new();
    let gate = Gate::new("short work");
    let (kind, ran) = held(&gate);
    let worker = start(&bench, [kind.prefetch(20, 1)]);
    let ids = bench.enqueue_many(&vec![NewJob::new("short"); 10]);
    gate.reached(1);
    eventually(PATIENCE, || (running(&bench) == 10).then_some(()));
    let first = ran.lock().unwrap()[0];
    let waiting: Vec<i64> = ids.into_iter().filter(|id| *id != first).collect();
    let answers = bench
        .db
        .tx(|conn| ops::cancel_many(conn, None, &waiting, &actor(), None, ops::CancelLimit::Any))
        .unwrap();
    assert!(answers.iter().all(|a| a.outcome == Outcome::Cancelling));
    // While the one that runs still does.
    eventually(PATIENCE, || {
        (bench.count(JobState::Cancelled) == 9).then_some(())
    });
    assert_eq!(running(&bench), 1);
    gate.open();
    bench.until(first, JobState::Completed);
    end(&worker);
    assert_eq!(*ran.lock().unwrap(), [first]);
}

#[test]
fn a_drain_gives_back_what_has_not_begun() {
    let bench = Bench::new();
    let gate = Gate::new("short work");
    let (kind, ran) = held(&gate);
    let worker = start(&bench, [kind.prefetch(20, 1)]);
    bench.enqueue_many(&vec![NewJob::new("short"); 10]);
    gate.reached(1);
    eventually(PATIENCE, || (running(&bench) == 10).then_some(()));
    worker.drain();
    // With their attempt, and long before the drain is over.
    eventually(PATIENCE, || {
        (bench.number("select count(*) as n from belay.job where worker is null and attempt = 0")
            == 9)
            .then_some(())
    });
    gate.open();
    end(&worker);
    assert_eq!(bench.count(JobState::Completed), 1);
    assert_eq!(ran.lock().unwrap().len(), 1);
}

#[test]
fn the_time_of_an_attempt_begins_with_its_turn() {
    let bench = Bench::new();
    let (gate, turns) = (Gate::new("the first"), Arc::new(AtomicUsize::new(0)));
    let (theirs, count) = (gate.clone(), Arc::clone(&turns));
    let worker = start(
        &bench,
        [Native::sync("short", move |job| {
            if count.fetch_add(1, SeqCst) == 0 {
                // It is over its time, and does not listen.
                while !job.wait_cancelled(Duration::from_secs(60)) {}
                theirs.wait();
            }
            job.check()
        })
        .timeout(Duration::from_secs(1))
        .max_attempts(1)
        .prefetch(5, 1)],
    );
    let ids = bench.enqueue_many(&vec![NewJob::new("short"); 3]);
    gate.reached(1);
    gate.open();
    bench.until(ids[0], JobState::Failed);
    for id in &ids[1..] {
        bench.until(*id, JobState::Completed);
    }
    end(&worker);
}
