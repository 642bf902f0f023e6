//! How a worker ends.

use std::time::{Duration, Instant};

use crate::support::executors::{Deaf, Stubborn, Waits, kind};
use crate::support::{Bench, PATIENCE, config, end, sleep};
use belay_core::JobState;
use belay_core::ops::NewJob;
use belay_testkit::eventually;
use belay_worker::executors::{Control, StopCause};

#[test]
fn a_drain_lets_running_jobs_finish_and_claims_nothing_more() {
    let bench = Bench::new();
    let worker = bench.worker();
    let running = bench.enqueue(&sleep(1.0));
    bench.until(running, JobState::Running);
    worker.drain();
    let late = bench.enqueue(&sleep(0.0));
    assert!(worker.join_timeout(PATIENCE));
    assert_eq!(bench.job(running).state, JobState::Completed);
    assert_eq!(bench.job(late).state, JobState::Queued);
    assert_eq!(
        bench.number("select count(*) as n from belay.worker where dead_at is null"),
        0,
        "the lease was ended"
    );
    assert_eq!(bench.number("select count(*) as n from belay.sleeper"), 0);
}

#[test]
fn after_the_drain_period_jobs_are_stopped_and_given_back_with_their_attempt() {
    let bench = Bench::new();
    let mut config = config();
    config.drain = Duration::from_millis(100);
    let worker = bench.start(config);
    let id = bench.enqueue(&sleep(600.0));
    bench.until(id, JobState::Running);
    end(&worker);
    let job = bench.job(id);
    assert_eq!(job.state, JobState::Scheduled);
    assert_eq!(job.attempt, 0);
    assert!(bench.events(id).contains(&"released".to_owned()));
    // The next worker runs it.
    let next = bench.worker();
    bench.until(id, JobState::Running);
    bench.cancel(id);
    bench.until(id, JobState::Cancelled);
    end(&next);
}

#[test]
fn cancels_are_obeyed_while_draining() {
    let bench = Bench::new();
    let worker = bench.worker();
    let id = bench.enqueue(&sleep(600.0));
    bench.until(id, JobState::Running);
    worker.drain();
    bench.cancel(id);
    bench.until(id, JobState::Cancelled);
    assert!(worker.join_timeout(PATIENCE));
}

#[test]
fn a_hard_stop_kills_and_gives_back() {
    let bench = Bench::new();
    let waits = Waits::then_stopped();
    let mut config = config();
    config.kinds.push(kind("waits", waits.clone()));
    config.kinds.push(kind("stubborn", Stubborn));
    let worker = bench.start(config);
    let ids = [
        bench.enqueue(&NewJob::new("waits")),
        bench.enqueue(&NewJob::new("stubborn")),
    ];
    for id in ids {
        bench.until(id, JobState::Running);
    }
    let began = Instant::now();
    worker.drain();
    worker.stop_now();
    assert!(worker.join_timeout(PATIENCE));
    assert!(began.elapsed() < Duration::from_secs(20));
    let told: Vec<Control> = waits.told().iter().map(|(_, control)| *control).collect();
    assert_eq!(told, [Control::Kill(StopCause::Shutdown)]);
    for id in ids {
        let job = bench.job(id);
        assert_eq!((job.state, job.attempt), (JobState::Scheduled, 0));
    }
}

#[test]
fn the_lease_of_a_job_that_does_not_end_is_not_given_up() {
    let bench = Bench::new();
    let mut config = config();
    config.kinds.push(kind("deaf", Deaf));
    let worker = bench.start(config);
    let id = bench.enqueue(&NewJob::new("deaf"));
    bench.until(id, JobState::Running);
    worker.stop_now();
    assert!(worker.join_timeout(PATIENCE));
    assert_eq!(bench.job(id).state, JobState::Running);
    assert_eq!(
        bench.number("select count(*) as n from belay.worker where dead_at is null"),
        1,
        "others must wait until the lease has run out"
    );
}

#[test]
fn suspended_jobs_go_back_to_their_line_when_the_worker_ends() {
    let bench = Bench::new();
    let mut config = config();
    config.drain = Duration::ZERO;
    let worker = bench.start(config.clone());
    let id = bench.enqueue(&sleep(600.0));
    bench.until(id, JobState::Running);
    bench
        .db
        .tx(|conn| belay_core::ops::suspend(conn, None, id, &crate::support::actor(), None))
        .unwrap();
    end(&worker);
    let next = bench.start(config);
    bench.until(id, JobState::Running);
    assert_eq!(bench.job(id).attempt, 1, "the first attempt was given back");
    end(&next);
}

#[test]
fn several_workers_and_asynchronous_code() {
    let bench = Bench::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let one = bench.worker();
        let two = bench.worker();
        let id = bench.enqueue(&NewJob::new("noop"));
        eventually(PATIENCE, || {
            (bench.job(id).state == JobState::Completed).then_some(())
        });
        one.drain();
        two.drain();
        one.ended().await;
        two.ended().await;
    });
}

#[test]
fn a_worker_that_cannot_register_says_why() {
    let bench = Bench::new();
    let mut config = config();
    config.kinds[0].spec.name = "not a name".into();
    let error = belay_worker::Worker::start(bench.db.clone(), config, bench.metrics.clone())
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("could not register"), "{error}");
}
