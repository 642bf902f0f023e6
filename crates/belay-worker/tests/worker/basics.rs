//! Jobs are claimed, run and reported.

use std::time::Duration;

use crate::support::{Bench, PATIENCE, config, end, sleep};
use belay_core::JobState;
use belay_core::ops::NewJob;
use belay_testkit::eventually;

#[test]
fn builtin_jobs_complete() {
    let bench = Bench::new();
    let worker = bench.worker();
    let noop = bench.enqueue(&NewJob::new("noop"));
    let sleeping = bench.enqueue(&sleep(0.01));
    let done = bench.until(noop, JobState::Completed);
    assert_eq!(done.worker, Some(worker.id()));
    assert_eq!((done.attempt, done.fence), (1, 1));
    bench.until(sleeping, JobState::Completed);
    let status = worker.status();
    assert!(status.alive && status.claiming);
    end(&worker);
    let status = worker.status();
    assert!(!status.alive && !status.claiming);
    assert_eq!(
        bench.metric(
            "belay_jobs_finished_total{kind=\"noop\",outcome=\"completed\",queue=\"default\"}"
        ),
        1.0
    );
}

#[test]
fn jobs_that_were_there_before_the_worker_are_found() {
    let bench = Bench::new();
    let ids = bench.enqueue_many(&vec![NewJob::new("noop"); 1200]);
    let worker = bench.worker();
    eventually(PATIENCE, || {
        (bench.count(JobState::Completed) == ids.len() as i64).then_some(())
    });
    end(&worker);
    assert_eq!(worker.status().running_light, 0);
}

#[test]
fn a_payload_that_makes_no_sense_fails_without_another_attempt() {
    let bench = Bench::new();
    let worker = bench.worker();
    let id = bench.enqueue(&NewJob {
        payload: r#"{"seconds": -1}"#.into(),
        ..NewJob::new("sleep")
    });
    let job = bench.until(id, JobState::Failed);
    assert_eq!(job.attempt, 1);
    assert!(job.last_error.unwrap().contains("\"seconds\""));
    end(&worker);
}

#[test]
fn scheduled_jobs_are_promoted() {
    let bench = Bench::new();
    let worker = bench.worker();
    let at = chrono::Utc::now() + Duration::from_millis(500);
    let id = bench.enqueue(&NewJob {
        run_at: Some(at),
        ..NewJob::new("noop")
    });
    assert_eq!(bench.job(id).state, JobState::Scheduled);
    let job = bench.until(id, JobState::Completed);
    assert!(job.started_at.unwrap() >= at);
    end(&worker);
}

#[test]
fn heavy_jobs_never_exceed_the_slots() {
    let bench = Bench::new();
    let mut config = config();
    config.slots = 3;
    let ids = bench.enqueue_many(&vec![sleep(0.02); 60]);
    let worker = bench.start(config);
    let mut most = 0;
    eventually(PATIENCE, || {
        let running = bench.count(JobState::Running);
        most = most.max(worker.status().running_heavy);
        assert!(worker.status().running_heavy <= 3);
        // Those that have ended and are being reported are still running for the database.
        assert!(running <= 60);
        (bench.count(JobState::Completed) == ids.len() as i64).then_some(())
    });
    assert_eq!(most, 3);
    end(&worker);
}

#[test]
fn priorities_are_kept() {
    let bench = Bench::new();
    let jobs: Vec<NewJob> = (0..40)
        .map(|n| NewJob {
            priority: Some(9 - n / 4),
            ..sleep(0.0)
        })
        .collect();
    let ids = bench.enqueue_many(&jobs);
    let mut config = config();
    config.slots = 1;
    let worker = bench.start(config);
    let done: Vec<_> = ids
        .iter()
        .map(|id| bench.until(*id, JobState::Completed))
        .collect();
    end(&worker);
    let mut order: Vec<_> = done
        .iter()
        .map(|job| (job.started_at, job.priority))
        .collect();
    order.sort();
    let priorities: Vec<i16> = order.iter().map(|(_, priority)| *priority).collect();
    let mut sorted = priorities.clone();
    sorted.sort_unstable();
    assert_eq!(priorities, sorted);
}

#[test]
fn queues_of_one_priority_take_turns() {
    let bench = Bench::new();
    let mut jobs = Vec::new();
    for queue in ["first", "second"] {
        for _ in 0..20 {
            jobs.push(NewJob {
                queue: Some(queue.into()),
                ..sleep(0.0)
            });
        }
    }
    bench.enqueue_many(&jobs);
    let mut config = config();
    config.slots = 1;
    let worker = bench.start(config);
    eventually(PATIENCE, || {
        (bench.count(JobState::Completed) == 40).then_some(())
    });
    end(&worker);
    // Of the first ten that ran, five came from each.
    let second = bench.number(
        "select count(*) as n from (select queue from belay.job_done order by started_at limit 10) s where queue = 'second'",
    );
    assert_eq!(second, 5);
}

#[test]
fn only_the_queues_it_serves_are_touched() {
    let bench = Bench::new();
    let mut config = config();
    config.queues = Some(vec!["mine".into()]);
    let in_queue = |queue: &str| NewJob {
        queue: Some(queue.into()),
        ..NewJob::new("noop")
    };
    let other = bench.enqueue(&in_queue("other"));
    let worker = bench.start(config);
    let mine = bench.enqueue(&in_queue("mine"));
    bench.until(mine, JobState::Completed);
    end(&worker);
    assert_eq!(bench.job(other).state, JobState::Queued);
}

#[test]
fn many_queues_are_served() {
    let bench = Bench::new();
    let jobs: Vec<NewJob> = (0..600)
        .map(|n| NewJob {
            queue: Some(format!("q{}", n % 150)),
            priority: Some(n % 3),
            ..NewJob::new("noop")
        })
        .collect();
    bench.enqueue_many(&jobs);
    let worker = bench.worker();
    eventually(PATIENCE, || {
        (bench.count(JobState::Completed) == 600).then_some(())
    });
    // And one that nobody looks at is found again, also in a line that is new.
    for queue in ["q149", "new"] {
        let id = bench.enqueue(&NewJob {
            queue: Some(queue.into()),
            priority: Some(8),
            ..NewJob::new("noop")
        });
        bench.until(id, JobState::Completed);
    }
    end(&worker);
}

#[test]
fn two_workers_share_without_running_anything_twice() {
    let bench = Bench::new();
    let one = bench.worker();
    let two = bench.worker();
    assert_ne!(one.id(), two.id());
    for _ in 0..10 {
        bench.enqueue_many(&vec![NewJob::new("noop"); 500]);
        bench.enqueue_many(&vec![sleep(0.0); 50]);
    }
    eventually(PATIENCE, || {
        (bench.count(JobState::Completed) == 5500).then_some(())
    });
    end(&one);
    end(&two);
    assert_eq!(
        bench.number("select count(*) as n from belay.job_done where attempt <> 1 or fence <> 1"),
        0
    );
    assert_eq!(
        bench.number("select count(distinct id) as n from belay.job_done"),
        5500
    );
    assert_eq!(
        bench.number("select count(*) as n from belay.job_event"),
        0,
        "the happy path writes no event"
    );
    assert!(bench.number("select count(distinct worker) as n from belay.job_done") == 2);
}

#[test]
fn it_works_without_notifications() {
    let bench = Bench::new();
    let mut config = config();
    config.listen = false;
    config.duties = false;
    let worker = bench.start(config);
    for _ in 0..5 {
        let id = bench.enqueue(&NewJob::new("noop"));
        bench.until(id, JobState::Completed);
    }
    assert!(!worker.status().listening);
    end(&worker);
}
