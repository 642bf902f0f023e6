//! How closures are stopped, and what those that do not listen come to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use belay_core::JobState;
use belay_core::ops::{self, NewJob, Outcome};
use belay_testkit::{Gate, eventually};
use belay_worker::executors::StopCause;
use belay_worker::executors::native::{JobError, Native};

use super::{builder, outputs, rung, start, sync};
use crate::support::{Bench, PATIENCE, actor, end};

/// A synchronous, an asynchronous, and one more asynchronous kind that obey.
fn obedient() -> [Native; 3] {
    [
        sync("sync", |job| {
            while !job.wait_cancelled(Duration::from_secs(60)) {}
            job.check()
        }),
        Native::asynchronous("async", |job| async move {
            job.cancelled().await;
            job.check()
        }),
        Native::asynchronous("token", |job| async move {
            job.cancellation_token().cancelled().await;
            Err(JobError::stopped())
        }),
    ]
}

#[test]
fn a_cancel_reaches_the_code_whatever_way_it_waits() {
    let bench = Bench::new();
    let worker = start(&bench, obedient());
    for kind in ["sync", "async", "token"] {
        let id = bench.enqueue(&NewJob::new(kind));
        bench.until(id, JobState::Running);
        assert_eq!(bench.cancel(id).outcome, Outcome::Cancelling);
        // A second one has no second effect.
        assert!(matches!(
            bench.cancel(id).outcome,
            Outcome::Already | Outcome::Cancelling
        ));
        bench.until(id, JobState::Cancelled);
        assert_eq!(rung(&bench, id), "cooperative");
        let events = bench.events(id);
        let requests = events.iter().filter(|event| *event == "cancel_requested");
        assert_eq!(requests.count(), 1, "{events:?}");
    }
    end(&worker);
}

#[test]
fn a_job_that_is_cancelled_before_its_start_never_runs() {
    let bench = Bench::new();
    let ran = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&ran);
    let gate = Gate::new("the only slot");
    let held = gate.clone();
    let worker = builder(&bench)
        .slots(1)
        .kind(sync("holds", move |_| {
            held.wait();
            Ok(())
        }))
        .kind(sync("runs", move |_| {
            theirs.store(true, SeqCst);
            Ok(())
        }))
        .start()
        .unwrap();
    bench.enqueue(&NewJob::new("holds"));
    gate.reached(1);
    let id = bench.enqueue(&NewJob::new("runs"));
    assert_eq!(bench.cancel(id).outcome, Outcome::Cancelled);
    gate.open();
    end(&worker);
    assert!(!ran.load(SeqCst));
    assert_eq!(rung(&bench, id), "never_started");
}

#[test]
fn a_synchronous_closure_that_does_not_listen_stays_cancelling_and_is_seen() {
    let bench = Bench::new();
    let gate = Gate::new("goes on");
    let theirs = gate.clone();
    let worker = start(
        &bench,
        [sync("deaf", move |_| {
            theirs.wait();
            Ok(())
        })
        .grace(Duration::from_millis(50))],
    );
    let id = bench.enqueue(&NewJob::new("deaf"));
    gate.reached(1);
    bench.cancel(id);
    let output = eventually(PATIENCE, || outputs(&bench, id).pop());
    assert_eq!(
        output.stderr,
        "belay: told to stop 0 s ago and still running\n"
    );
    assert_eq!(bench.job(id).state, JobState::Cancelling);
    gate.open();
    bench.until(id, JobState::Cancelled);
    end(&worker);
    assert_eq!(
        bench.number("select count(*) as n from belay.job_event where detail ? 'finished_anyway'"),
        1
    );
}

/// Notes that it was dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// A kind whose future waits for something that never comes, and what says that it is gone.
fn lost(started: &Gate) -> (Native, Arc<AtomicBool>) {
    let gone = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&gone);
    let started = started.clone();
    let kind = Native::asynchronous("lost", move |_| {
        let (dropped, started) = (Dropped(Arc::clone(&theirs)), started.clone());
        async move {
            let _dropped = dropped;
            started.wait();
            std::future::pending().await
        }
    });
    (kind, gone)
}

#[test]
fn a_future_that_does_not_listen_is_dropped_after_its_grace() {
    let bench = Bench::new();
    let gate = Gate::new("begun");
    gate.open();
    let (kind, gone) = lost(&gate);
    let worker = start(&bench, [kind.grace(Duration::from_millis(50))]);
    let id = bench.enqueue(&NewJob::new("lost"));
    gate.reached(1);
    bench.cancel(id);
    bench.until(id, JobState::Cancelled);
    assert!(gone.load(SeqCst), "nothing of it is left");
    assert_eq!(rung(&bench, id), "kill");
    end(&worker);
}

#[test]
fn a_job_that_was_taken_away_is_dropped_at_once_and_a_thread_reports_in_vain() {
    let bench = Bench::new();
    let (begun, goes_on) = (Gate::new("begun"), Gate::new("goes on"));
    begun.open();
    let theirs = goes_on.clone();
    let (kind, gone) = lost(&begun);
    let worker = start(
        &bench,
        [
            kind.grace(Duration::from_secs(600)),
            sync("deaf", move |_| {
                theirs.wait();
                Ok(())
            }),
        ],
    );
    let (lost, deaf) = (
        bench.enqueue(&NewJob::new("lost")),
        bench.enqueue(&NewJob::new("deaf")),
    );
    begun.reached(1);
    goes_on.reached(1);
    for id in [lost, deaf] {
        bench
            .db
            .tx(|conn| ops::force_cancel(conn, None, id, &actor(), None))
            .unwrap();
    }
    eventually(PATIENCE, || gone.load(SeqCst).then_some(()));
    goes_on.open();
    eventually(PATIENCE, || {
        (bench.metric("belay_stale_reports_total") == 2.0).then_some(())
    });
    assert_eq!(rung(&bench, deaf), "forced");
    end(&worker);
}

#[test]
fn an_attempt_over_its_time_is_told_why_and_has_timed_out() {
    let bench = Bench::new();
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let worker = start(
        &bench,
        [sync("slow", move |job| {
            while !job.wait_cancelled(Duration::from_secs(60)) {}
            assert_eq!(job.stop_cause(), Some(StopCause::Timeout));
            count.fetch_add(1, SeqCst);
            Err(JobError::stopped())
        })
        .timeout(Duration::from_secs(1))
        .max_attempts(2)],
    );
    let id = bench.enqueue(&NewJob::new("slow"));
    let job = bench.until(id, JobState::Failed);
    end(&worker);
    assert_eq!(job.last_error.as_deref(), Some("timed out after 1 s"));
    assert_eq!(told.load(SeqCst), 2);
    assert_eq!(
        bench.number(
            "select count(*) as n from belay.job_event where detail->>'cause' = 'timed_out'"
        ),
        2
    );
}

#[test]
fn closures_that_say_so_can_be_held_still() {
    let bench = Bench::new();
    let steps = Arc::new(AtomicUsize::new(0));
    let (of_sync, of_async) = (Arc::clone(&steps), Arc::clone(&steps));
    let worker = start(
        &bench,
        [
            Native::sync("sync", move |job| {
                while !job.wait_cancelled(Duration::from_millis(1)) {
                    job.wait_while_suspended()?;
                    of_sync.fetch_add(1, SeqCst);
                }
                job.check()
            })
            .can_suspend(),
            Native::asynchronous("async", move |job| {
                let steps = Arc::clone(&of_async);
                async move {
                    loop {
                        tokio::select! {
                            biased;
                            () = job.suspended() => job.while_suspended().await?,
                            () = tokio::time::sleep(Duration::from_millis(1)) => {}
                        }
                        steps.fetch_add(1, SeqCst);
                    }
                }
            })
            .can_suspend(),
            Native::sync("cannot", |job| {
                while !job.wait_cancelled(Duration::from_secs(60)) {}
                job.check()
            }),
        ],
    );
    let suspend = |id| {
        bench
            .db
            .tx(|conn| ops::suspend(conn, None, id, &actor(), None))
    };
    for kind in ["sync", "async"] {
        let id = bench.enqueue(&NewJob::new(kind));
        bench.until(id, JobState::Running);
        suspend(id).unwrap();
        // It stands still once two looks at a distance see the same.
        let mut last = usize::MAX;
        eventually(PATIENCE, || {
            std::thread::sleep(Duration::from_millis(100));
            (std::mem::replace(&mut last, steps.load(SeqCst)) == last).then_some(())
        });
        bench
            .db
            .tx(|conn| ops::resume(conn, None, id, &actor(), None))
            .unwrap();
        eventually(PATIENCE, || (steps.load(SeqCst) > last + 5).then_some(()));
        // Stopped while it is held still.
        suspend(id).unwrap();
        bench.cancel(id);
        bench.until(id, JobState::Cancelled);
        assert_eq!(rung(&bench, id), "cooperative");
    }
    let id = bench.enqueue(&NewJob::new("cannot"));
    bench.until(id, JobState::Running);
    assert!(suspend(id).is_err());
    bench.cancel(id);
    end(&worker);
}
