//! A worker whose whole process stands still for longer than its lease.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::executors::{Always, kind};
use crate::support::{Bench, PATIENCE, config, end};
use belay_core::db::DbConfig;
use belay_core::ops::NewJob;
use belay_core::{Db, JobState};
use belay_metrics::Metrics;
use belay_testkit::eventually;
use belay_worker::executors::{Attempt, Control, Executor, Finish, Rung, Running};
use belay_worker::{Worker, WorkerConfig};
use rustix::process::{Pid, Signal, kill_process};

const NAME: &str = "freeze::a_worker_that_was_frozen_kills_before_it_reports";
const CHILD: &str = "BELAY_TEST_FROZEN_WORKER";

/// Prints what it is told and what it was held under.
#[derive(Debug)]
struct Tells;

impl Executor for Tells {
    fn run(&self, mut attempt: Attempt) -> Running {
        Box::pin(async move {
            println!("started {}", attempt.fence);
            let wanted = attempt
                .control
                .wait_for(|wanted| matches!(wanted, Control::Stop(_) | Control::Kill(_)))
                .await
                .map(|wanted| *wanted);
            println!("told {wanted:?}");
            Finish::Stopped { rung: Rung::Kill }
        })
    }
}

fn frozen_config() -> WorkerConfig {
    let mut config = config();
    config.lease = Duration::from_secs(4);
    config.queues = Some(vec!["default".into(), "child".into()]);
    config
}

/// The process that is frozen.
fn child(url: String) {
    let mut config = frozen_config();
    config.duties = false;
    config.kinds.push(kind("work", Tells));
    let db = Db::new(DbConfig::new(url)).unwrap();
    let worker = Worker::start(db, config, Metrics::new().unwrap()).unwrap();
    // Until the parent closes its end.
    let _ = std::io::stdin().read_line(&mut String::new());
    worker.stop_now();
    worker.join();
}

struct Frozen(Child);

impl Frozen {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_worker_that_was_frozen_kills_before_it_reports() {
    if let Ok(url) = std::env::var(CHILD) {
        return child(url);
    }
    let bench = Bench::new();
    let mut frozen = Frozen(
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(CHILD, bench.test.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut lines = BufReader::new(frozen.0.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter(|line| line.contains("started ") || line.contains("told "));
    // The kind is registered by the child.
    let id = eventually(PATIENCE, || {
        let job = NewJob::new("work");
        let made = bench.db.tx(|conn| {
            belay_core::ops::enqueue(conn, 1, &job, None, false, &crate::support::actor())
        });
        made.ok().map(|made| made.id)
    });
    assert!(lines.next().unwrap().ends_with("started 1"));
    let first = bench.job(id).worker;
    frozen.signal(Signal::STOP);

    let mut config = config();
    config.queues = Some(vec!["default".into()]);
    config.kinds.push(kind("work", Always(Finish::Completed)));
    let worker = bench.start(config);
    let job = bench.until(id, JobState::Completed);
    assert_eq!((job.fence, job.worker), (3, Some(worker.id())));

    frozen.signal(Signal::CONT);
    assert!(lines.next().unwrap().ends_with("told Ok(Kill(LeaseLost))"));
    // It goes on under a new number.
    let next = bench.enqueue(&NewJob {
        queue: Some("child".into()),
        ..NewJob::new("work")
    });
    assert!(lines.next().unwrap().ends_with("started 1"));
    assert_ne!(bench.job(next).worker, first);
    bench.cancel(next);
    bench.until(next, JobState::Cancelled);
    end(&worker);
    assert_eq!(bench.job(id).fence, 3);
}
