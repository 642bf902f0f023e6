//! How attempts end, and what becomes of their jobs.

use std::time::{Duration, Instant};

use crate::support::executors::{
    Always, EndsWhenSuspended, LightAlways, OnTheSpot, Panics, Talks, kind,
};
use crate::support::{Bench, PATIENCE, actor, config, end, sleep};
use belay_core::JobState;
use belay_core::ops::{self, NewJob};
use belay_core::query;
use belay_testkit::eventually;
use belay_worker::executors::{Finish, Rung};
use diesel::connection::SimpleConnection;

fn failed(retry: bool) -> Finish {
    Finish::Failed {
        error: "no luck".into(),
        retry,
    }
}

#[test]
fn a_failure_is_tried_again_until_no_attempt_is_left() {
    let bench = Bench::new();
    let mut config = config();
    config.kinds.push(kind("fails", Always(failed(true))));
    let worker = bench.start(config);
    let id = bench.enqueue(&NewJob {
        max_attempts: Some(3),
        ..NewJob::new("fails")
    });
    let job = bench.until(id, JobState::Failed);
    end(&worker);
    assert_eq!((job.attempt, job.fence), (3, 3));
    assert_eq!(job.last_error.as_deref(), Some("no luck"));
    let events = bench.events(id);
    let count = |name| events.iter().filter(|event| *event == name).count();
    assert_eq!((count("attempt_failed"), count("failed")), (2, 1));
    for (outcome, expected) in [("retried", 2.0), ("failed", 1.0)] {
        let series = format!(
            "belay_jobs_finished_total{{kind=\"fails\",outcome=\"{outcome}\",queue=\"default\"}}"
        );
        assert_eq!(bench.metric(&series), expected);
    }
}

#[test]
fn a_failed_attempt_waits_for_the_backoff() {
    let bench = Bench::new();
    let mut config = config();
    let mut kind = kind("fails", Always(failed(true)));
    kind.spec.backoff = belay_worker::Backoff::fixed(Duration::from_secs(3600));
    config.kinds.push(kind);
    let worker = bench.start(config);
    let id = bench.enqueue(&NewJob::new("fails"));
    let job = bench.until(id, JobState::Scheduled);
    end(&worker);
    let wait = job.run_at - job.claimed_at.unwrap();
    assert!((3600..3660).contains(&wait.num_seconds()), "{wait}");
}

#[test]
fn a_failure_without_retry_ends_the_job() {
    let bench = Bench::new();
    let mut config = config();
    config.kinds.push(kind("fails", Always(failed(false))));
    let worker = bench.start(config);
    let id = bench.enqueue(&NewJob::new("fails"));
    assert_eq!(bench.until(id, JobState::Failed).attempt, 1);
    end(&worker);
}

#[test]
fn a_panic_is_a_failure_and_takes_nobody_along() {
    let bench = Bench::new();
    let mut config = config();
    config.kinds.push(kind("panics", Panics));
    let worker = bench.start(config);
    let id = bench.enqueue(&NewJob {
        max_attempts: Some(2),
        ..NewJob::new("panics")
    });
    let job = bench.until(id, JobState::Failed);
    assert_eq!(
        job.last_error.as_deref(),
        Some("the executor panicked: out of cheese")
    );
    assert_eq!(job.attempt, 2);
    let next = bench.enqueue(&sleep(0.0));
    bench.until(next, JobState::Completed);
    end(&worker);
}

#[test]
fn light_kinds_end_in_every_way_too() {
    let bench = Bench::new();
    let mut config = config();
    config.kinds.push(kind("spot", OnTheSpot));
    config.kinds.push(kind("task", LightAlways(failed(false))));
    let worker = bench.start(config);
    let spot = |payload: &str| {
        bench.enqueue(&NewJob {
            payload: format!("{payload:?}"),
            max_attempts: Some(1),
            ..NewJob::new("spot")
        })
    };
    let (fail, snooze, panic, good) = (spot("fail"), spot("snooze"), spot("panic"), spot("good"));
    let task = bench.enqueue(&NewJob::new("task"));
    let error = |id| bench.until(id, JobState::Failed).last_error.unwrap();
    assert_eq!(error(fail), "on the spot");
    assert_eq!(error(panic), "the executor panicked: on the spot");
    assert_eq!(error(task), "no luck");
    bench.until(good, JobState::Completed);
    let snoozed = bench.until(snooze, JobState::Completed);
    assert_eq!((snoozed.attempt, snoozed.fence), (1, 2));
    end(&worker);
    assert_eq!(worker.status().running_light, 0);
}

#[test]
fn an_attempt_that_takes_too_long_is_stopped_and_has_failed() {
    let bench = Bench::new();
    let worker = bench.worker();
    let began = Instant::now();
    let id = bench.enqueue(&NewJob {
        timeout_s: Some(1),
        max_attempts: Some(1),
        ..sleep(600.0)
    });
    let job = bench.until(id, JobState::Failed);
    end(&worker);
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(job.last_error.as_deref(), Some("timed out after 1 s"));
}

#[test]
fn a_job_that_takes_too_long_over_all_its_attempts_has_failed() {
    let bench = Bench::new();
    let mut config = config();
    config.kinds.push(kind("fails", Always(failed(true))));
    let worker = bench.start(config);
    // One attempt alone, stopped when the time of the job is over.
    let long = bench.enqueue(&NewJob {
        job_timeout_s: Some(1),
        ..sleep(600.0)
    });
    // Many short ones, none of which takes long.
    let many = bench.enqueue(&NewJob {
        job_timeout_s: Some(1),
        max_attempts: Some(1000),
        ..NewJob::new("fails")
    });
    let job = bench.until(long, JobState::Failed);
    assert_eq!(
        (job.attempt, job.last_error.as_deref()),
        (1, Some("timed out: the time for the whole job is over"))
    );
    let job = bench.until(many, JobState::Failed);
    assert!(job.attempt < 1000, "{}", job.attempt);
    end(&worker);
    let took = job.finished_at.unwrap() - job.started_at.unwrap();
    assert!(took.num_milliseconds() >= 900, "{took}");
}

#[test]
fn a_job_whose_time_was_over_before_it_began_does_not_run() {
    let bench = Bench::new();
    let mut quick = config();
    quick.kinds.push(kind("spot", OnTheSpot));
    let id = bench.enqueue(&NewJob {
        job_timeout_s: Some(5),
        ..sleep(0.0)
    });
    let mut conn = bench.test.conn();
    // As if it had been started a minute ago and its worker lost.
    let sql = format!(
        "update belay.job set started_at = now() - interval '1 minute', claimed_at = now() - interval '1 minute' where id = {id}"
    );
    conn.batch_execute(&sql).unwrap();
    let worker = bench.start(quick);
    let job = bench.until(id, JobState::Failed);
    end(&worker);
    assert_eq!(
        job.last_error.as_deref(),
        Some("timed out: the time for the whole job is over")
    );
}

#[test]
fn waits_follow_the_list_of_the_kind() {
    let bench = Bench::new();
    let mut config = config();
    let mut kind = kind("fails", Always(failed(true)));
    let hours = |hours: u64| Duration::from_secs(3600 * hours);
    kind.spec.backoff = belay_worker::Backoff::List {
        waits: vec![Duration::ZERO, hours(2), hours(9)],
    };
    config.kinds.push(kind);
    let worker = bench.start(config);
    let id = bench.enqueue(&NewJob::new("fails"));
    let job = eventually(PATIENCE, || {
        let job = bench.job(id);
        (job.attempt == 2 && job.state == JobState::Scheduled).then_some(job)
    });
    end(&worker);
    let wait = job.run_at - job.claimed_at.unwrap();
    assert!((7200..7260).contains(&wait.num_seconds()), "{wait}");
}

#[test]
fn an_attempt_that_stops_unasked_has_failed() {
    let bench = Bench::new();
    let mut config = config();
    let stops = Always(Finish::Stopped {
        rung: Rung::Cooperative,
    });
    config.kinds.push(kind("stops", stops));
    let worker = bench.start(config);
    let id = bench.enqueue(&NewJob {
        max_attempts: Some(1),
        ..NewJob::new("stops")
    });
    let job = bench.until(id, JobState::Failed);
    end(&worker);
    assert!(
        job.last_error
            .unwrap()
            .contains("without having been asked")
    );
}

#[test]
fn output_and_progress_are_seen_while_it_runs_and_complete_at_the_end() {
    let bench = Bench::new();
    let mut config = config();
    config.kinds.push(kind("talks", Talks));
    let worker = bench.start(config);
    let id = bench.enqueue(&NewJob::new("talks"));
    let progress = eventually(PATIENCE, || {
        bench.db.read(|conn| query::progress(conn, id)).unwrap()
    });
    assert_eq!((progress.done, progress.total), (1, Some(2)));
    assert_eq!(progress.message.as_deref(), Some("half\u{fffd}way"));
    let outputs = || bench.db.read(|conn| query::outputs(conn, id)).unwrap();
    let output = eventually(PATIENCE, || outputs().pop());
    assert_eq!(output.stdout, "begun");
    bench.cancel(id);
    let job = bench.until(id, JobState::Cancelled);
    end(&worker);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("term"));
    let outputs = outputs();
    assert_eq!(outputs.len(), 1);
    assert_eq!(outputs[0].stdout, "begun, ended");
    assert_eq!(outputs[0].stdout_bytes, 12);
}

#[test]
fn a_suspended_job_holds_still_and_goes_on() {
    let bench = Bench::new();
    let worker = bench.worker();
    let id = bench.enqueue(&sleep(1.0));
    bench.until(id, JobState::Running);
    bench
        .db
        .tx(|conn| ops::suspend(conn, None, id, &actor(), None))
        .unwrap();
    // Longer than the job would have taken.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(bench.job(id).state, JobState::Suspended);
    assert_eq!(worker.status().running_heavy, 1, "it keeps its slot");
    bench
        .db
        .tx(|conn| ops::resume(conn, None, id, &actor(), None))
        .unwrap();
    bench.until(id, JobState::Completed);
    end(&worker);
}

#[test]
fn the_time_of_a_suspended_job_stands_still() {
    let bench = Bench::new();
    let worker = bench.worker();
    let id = bench.enqueue(&NewJob {
        timeout_s: Some(1),
        ..sleep(0.5)
    });
    bench.until(id, JobState::Running);
    bench
        .db
        .tx(|conn| ops::suspend(conn, None, id, &actor(), None))
        .unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    bench
        .db
        .tx(|conn| ops::resume(conn, None, id, &actor(), None))
        .unwrap();
    bench.until(id, JobState::Completed);
    end(&worker);
}

#[test]
fn a_suspended_job_can_be_cancelled() {
    let bench = Bench::new();
    let worker = bench.worker();
    let id = bench.enqueue(&sleep(600.0));
    bench.until(id, JobState::Running);
    bench
        .db
        .tx(|conn| ops::suspend(conn, None, id, &actor(), None))
        .unwrap();
    bench.cancel(id);
    bench.until(id, JobState::Cancelled);
    end(&worker);
}

#[test]
fn a_job_that_ends_although_it_should_hold_still_is_settled_when_it_goes_on() {
    let bench = Bench::new();
    let mut config = config();
    config.kinds.push(kind("hasty", EndsWhenSuspended));
    let worker = bench.start(config);
    let id = bench.enqueue(&NewJob::new("hasty"));
    bench.until(id, JobState::Running);
    // The row says so before the worker has the answer to its claim.
    eventually(PATIENCE, || {
        (worker.status().running_heavy == 1).then_some(())
    });
    bench
        .db
        .tx(|conn| ops::suspend(conn, None, id, &actor(), None))
        .unwrap();
    eventually(PATIENCE, || {
        (worker.status().running_heavy == 0).then_some(())
    });
    assert_eq!(bench.job(id).state, JobState::Suspended);
    bench
        .db
        .tx(|conn| ops::resume(conn, None, id, &actor(), None))
        .unwrap();
    let job = bench.until(id, JobState::Completed);
    assert_eq!(job.fence, 1);
    end(&worker);
}
