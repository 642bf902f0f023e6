//! How soon things happen on an idle worker: from the commit of a job to the start of its handler, from the call of a cancel
//! to the moment the handler is told (with and without notifications; an executor, a thread of a synchronous closure, an asynchronous
//! closure), and how long a cancel of 500 jobs takes.
//!
//! `cargo bench -p belay-worker --bench latency`.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use belay_core::db::DbConfig;
use belay_core::ops::{self, Actor, CancelLimit, KindSpec, Line, LineFloor, NewJob, Outcome, Via};
use belay_core::{Db, Result};
use belay_metrics::Metrics;
use belay_testkit::bench::{percentile, worker};
use belay_testkit::{Profile, TestCluster};
use belay_worker::executors::native::{JobError, Native};
use belay_worker::executors::{Attempt, Control, Executor, Finish, Rung, Running};
use belay_worker::{KindConfig, Worker, WorkerConfig};

/// Says when an attempt began, and holds until it is told to stop.
#[derive(Debug)]
struct Probe {
    hold: bool,
    began: mpsc::Sender<(i64, Instant)>,
    told: mpsc::Sender<(i64, Instant)>,
}

impl Executor for Probe {
    fn run(&self, mut attempt: Attempt) -> Running {
        let now = Instant::now();
        // The receiver lives as long as the benchmark.
        let _ = self.began.send((attempt.job, now));
        let (hold, told) = (self.hold, self.told.clone());
        Box::pin(async move {
            if !hold {
                return Finish::Completed;
            }
            let stop = attempt
                .control
                .wait_for(|c| matches!(c, Control::Stop(_) | Control::Kill(_)))
                .await;
            let now = Instant::now();
            drop(stop);
            let _ = told.send((attempt.job, now));
            Finish::Stopped {
                rung: Rung::Cooperative,
            }
        })
    }
}

struct Bench {
    db: Db,
    began: mpsc::Receiver<(i64, Instant)>,
    told: mpsc::Receiver<(i64, Instant)>,
    worker: Worker,
}

fn start(url: &str, listen: bool) -> Bench {
    let db = Db::new(DbConfig::new(url)).expect("a pool");
    let (began_in, began) = mpsc::channel();
    let (told_in, told) = mpsc::channel();
    let kind = |name: &str, hold| KindConfig {
        spec: KindSpec {
            name: name.into(),
            executor: "bench".into(),
            queue: "default".into(),
            priority: 5,
            max_attempts: 1,
            timeout_s: None,
            ..KindSpec::new("", "")
        },
        executor: Arc::new(Probe {
            hold,
            began: began_in.clone(),
            told: told_in.clone(),
        }),
    };
    let (began_sync, told_sync) = (began_in.clone(), told_in.clone());
    let in_a_thread = Native::sync("thread", move |job| {
        let _ = began_sync.send((job.id(), Instant::now()));
        while !job.wait_cancelled(Duration::from_secs(60)) {}
        let _ = told_sync.send((job.id(), Instant::now()));
        Err(JobError::stopped())
    });
    let (began_async, told_async) = (began_in.clone(), told_in.clone());
    let in_a_task = Native::asynchronous("task", move |job| {
        let (began, told) = (began_async.clone(), told_async.clone());
        async move {
            let _ = began.send((job.id(), Instant::now()));
            job.cancelled().await;
            let _ = told.send((job.id(), Instant::now()));
            Err(JobError::stopped())
        }
    });
    let config = WorkerConfig {
        kinds: vec![
            kind("quick", false),
            kind("hold", true),
            in_a_thread.into(),
            in_a_task.into(),
        ],
        listen,
        ..WorkerConfig::new("bench")
    };
    let worker =
        Worker::start(db.clone(), config, Metrics::new().expect("metrics")).expect("a worker");
    Bench {
        db,
        began,
        told,
        worker,
    }
}

fn actor() -> Actor {
    Actor::new("bench", Via::Native)
}

fn main() -> Result<()> {
    let cluster = TestCluster::with_profile(Profile::Bench);
    let url = cluster.migrated("latency");
    let bench = start(&url, true);
    pickup(&bench)?;
    for (kind, who) in [
        ("hold", "told"),
        ("thread", "a synchronous closure told"),
        ("task", "an asynchronous closure told"),
    ] {
        let what = format!("cancel of a running job, {who}");
        cancel_running(&bench, kind, &what, 400)?;
    }
    bench.worker.stop_now();
    bench.worker.join();
    let deaf = start(&cluster.migrated("deaf"), false);
    cancel_running(
        &deaf,
        "hold",
        "cancel of a running job, told, without notifications (one heartbeat is 1 s)",
        30,
    )?;
    deaf.worker.stop_now();
    deaf.worker.join();
    bulk(&cluster.migrated("bulk"))
}

fn report(what: &str, values: &mut [f64], goal: &str) {
    println!(
        "{what}: p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, max {:.2} ms over {} ({goal})",
        percentile(values, 0.5),
        percentile(values, 0.95),
        percentile(values, 0.99),
        percentile(values, 1.0),
        values.len(),
    );
}

fn milliseconds(from: Instant, to: Instant) -> f64 {
    // A handler may start before the call that enqueued has returned.
    to.saturating_duration_since(from).as_secs_f64() * 1000.0
}

fn pickup(bench: &Bench) -> Result<()> {
    let committed = Mutex::new(HashMap::new());
    let mut waits = Vec::new();
    for _ in 0..600 {
        let id = bench
            .db
            .read(|conn| ops::enqueue(conn, 1, &NewJob::new("quick"), None, false, &actor()))?
            .id;
        committed
            .lock()
            .expect("not poisoned")
            .insert(id, Instant::now());
        let (job, began) = bench
            .began
            .recv_timeout(Duration::from_secs(10))
            .expect("the job starts");
        let from = committed
            .lock()
            .expect("not poisoned")
            .remove(&job)
            .expect("a job of ours");
        waits.push(milliseconds(from, began));
        thread::sleep(Duration::from_millis(20));
    }
    report(
        "idle pickup, commit to handler",
        &mut waits,
        "goal p50 2 ms, p99 5 ms",
    );
    Ok(())
}

fn cancel_running(bench: &Bench, kind: &str, what: &str, rounds: usize) -> Result<()> {
    let mut waits = Vec::new();
    for _ in 0..rounds {
        let id = bench
            .db
            .read(|conn| ops::enqueue(conn, 1, &NewJob::new(kind), None, false, &actor()))?
            .id;
        while bench
            .began
            .recv_timeout(Duration::from_secs(10))
            .expect("the job starts")
            .0
            != id
        {}
        let asked = Instant::now();
        bench
            .db
            .tx(|conn| ops::cancel_one(conn, None, id, &actor(), None, CancelLimit::Any))?;
        let (job, told) = bench
            .told
            .recv_timeout(Duration::from_secs(10))
            .expect("the handler is told");
        assert_eq!(job, id);
        waits.push(milliseconds(asked, told));
    }
    report(what, &mut waits, "goal p99 50 ms with notifications");
    Ok(())
}

/// Half of the 500 wait in line, half run.
fn bulk(url: &str) -> Result<()> {
    let db = Db::new(DbConfig::new(url))?;
    let worker = db.tx(|conn| ops::register(conn, &worker("noop", 250)))?;
    let line = LineFloor {
        line: Line {
            priority: 5,
            queue: "default".into(),
            kind: "noop".into(),
        },
        floor: 0,
    };
    let mut times = Vec::new();
    for _ in 0..40 {
        let jobs: Vec<NewJob> = (0..500).map(|_| NewJob::new("noop")).collect();
        let ids: Vec<i64> = db
            .tx(|conn| ops::enqueue_many(conn, 1, &jobs, &actor()))?
            .iter()
            .map(|e| e.id)
            .collect();
        let claimed = db.tx(|conn| ops::claim(conn, worker, std::slice::from_ref(&line), 250))?;
        assert_eq!(claimed.len(), 250);
        let began = Instant::now();
        let answers = db.tx(|conn| {
            ops::cancel_many(
                conn,
                Some(1),
                &ids,
                &actor(),
                Some("bench"),
                CancelLimit::Any,
            )
        })?;
        times.push(milliseconds(began, Instant::now()));
        let of = |outcome| answers.iter().filter(|a| a.outcome == outcome).count();
        assert_eq!(
            (of(Outcome::Cancelled), of(Outcome::Cancelling)),
            (250, 250)
        );
    }
    report(
        "cancel of 500 jobs in one call, half of them running",
        &mut times,
        "goal p95 50 ms",
    );
    Ok(())
}
