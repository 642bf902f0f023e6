//! Walks that change hands: whatever happened to the attempt before, the next goes on, and nothing is done twice.

use std::time::Duration;

use super::{affected, barrier, bulk_config, bulk_job, recorded, until_stuck, with_terms};
use crate::support::executors::{Always, kind};
use crate::support::{Bench, PATIENCE, config, end};
use belay_core::JobState;
use belay_core::ops::{
    self, BulkAttempt, BulkFilter, BulkKind, BulkTerms, LineFloor, NewJob, NewWorker, Standing,
};
use belay_testkit::eventually;
use belay_worker::executors::Finish;
use diesel::connection::SimpleConnection;

/// Waits until another attempt than the first runs.
fn until_taken_up(bench: &Bench, bulk: i64) {
    eventually(PATIENCE, || {
        let job = bench.job(bulk);
        (job.fence > 1 && job.state == JobState::Running).then_some(())
    });
}

#[test]
fn a_worker_that_stops_gives_the_walk_back_and_the_next_goes_on() {
    let bench = Bench::new();
    let ids = bench.enqueue_many(&vec![NewJob::new("noop"); 300]);
    let held = barrier(&bench, ids[150]);
    let bulk = bench.enqueue(&NewJob {
        max_attempts: Some(1),
        ..bulk_job(BulkKind::Cancel, r#"{"kind": "noop"}"#)
    });
    let first = bench.start(bulk_config(&bench, 100));
    until_stuck(&bench, bulk, 150);
    first.stop_now();
    assert!(first.join_timeout(PATIENCE));
    drop(held);
    let second = bench.start(bulk_config(&bench, 100));
    bench.until(bulk, JobState::Completed);
    assert_eq!(affected(&bench, bulk), 300);
    assert_eq!(recorded(&bench), (300, 300));
    end(&second);
}

#[test]
fn a_walk_whose_worker_was_declared_dead_is_taken_up_and_nothing_is_done_twice() {
    let bench = Bench::new();
    let ids = bench.enqueue_many(&vec![NewJob::new("noop"); 1000]);
    let held = barrier(&bench, ids[700]);
    let bulk = with_terms(
        &bench,
        &bulk_job(BulkKind::Cancel, r#"{"kind": "noop"}"#),
        &BulkTerms {
            max_limit: 900,
            ..BulkTerms::default()
        },
    );
    let mut alone = bulk_config(&bench, 100);
    alone.duties = false;
    let first = bench.start(alone);
    until_stuck(&bench, bulk, 700);
    // As if it had been silent for too long; it goes on trying all the while.
    bench
        .test
        .conn()
        .batch_execute(&format!(
            "update belay.worker set dead_at = now() where id = {}",
            first.id()
        ))
        .unwrap();
    let second = bench.start(bulk_config(&bench, 100));
    until_taken_up(&bench, bulk);
    drop(held);
    bench.until(bulk, JobState::Completed);
    assert_eq!(affected(&bench, bulk), 900);
    assert_eq!(recorded(&bench), (900, 900));
    assert_eq!(bench.count(JobState::Queued), 100);
    end(&first);
    end(&second);
}

/// A worker that takes the bulk job, makes some steps of ten, and is never heard of again.
fn killed_after(bench: &Bench, bulk: i64, steps: usize) -> BulkAttempt {
    let job = bench.job(bulk);
    let kind = BulkKind::of(&job.kind).unwrap();
    let filter = BulkFilter::parse(kind, &job.payload).unwrap();
    let mut conn = bench.test.conn();
    let worker = NewWorker {
        name: "killed".into(),
        host: "nowhere".into(),
        pid: 1,
        version: "0".into(),
        queues: None,
        kinds: vec![job.kind],
        slots: 1,
        lease: Duration::from_secs(1),
    };
    let worker = ops::register(&mut conn, &worker).unwrap();
    let lines: Vec<LineFloor> = ops::lines(&mut conn)
        .unwrap()
        .into_iter()
        .filter(|line| line.kind == kind.name())
        .map(|line| LineFloor { line, floor: 0 })
        .collect();
    let claimed = ops::claim(&mut conn, worker, &lines, 1).unwrap();
    let attempt = BulkAttempt {
        job: bulk,
        fence: claimed[0].fence,
        worker,
    };
    ops::begin_bulk(&mut conn, attempt, kind).unwrap();
    for _ in 0..steps {
        ops::bulk_step(&mut conn, attempt, &filter, 10, 1000).unwrap();
    }
    // The last step was under way: the connection goes, and the transaction with it.
    conn.batch_execute("begin").unwrap();
    ops::bulk_step(&mut conn, attempt, &filter, 10, 1000).unwrap();
    attempt
}

#[test]
fn a_walk_whose_worker_was_killed_is_taken_up_exactly_where_it_was() {
    let bench = Bench::new();
    let ids = bench.enqueue_many(&vec![NewJob::new("noop"); 100]);
    let payload = r#"{"kind": "noop"}"#;
    let bulk = bench.enqueue(&bulk_job(BulkKind::Cancel, payload));
    let dead = killed_after(&bench, bulk, 4);
    assert_eq!(affected(&bench, bulk), 40);
    let worker = bench.start(bulk_config(&bench, 25));
    let job = bench.until(bulk, JobState::Completed);
    assert_eq!(job.attempt, 2);
    assert_eq!(
        bench.events(bulk),
        ["created", "claimed", "lease_lost", "claimed", "completed"]
    );
    assert_eq!(affected(&bench, bulk), 100);
    assert_eq!(recorded(&bench), (100, 100));
    assert_eq!(bench.count(JobState::Cancelled), ids.len() as i64);
    // What comes of the first attempt now changes nothing.
    let filter = BulkFilter::parse(BulkKind::Cancel, payload).unwrap();
    let late = ops::bulk_step(&mut bench.test.conn(), dead, &filter, 10, 1000).unwrap();
    assert_eq!(late.standing, Standing::Gone);
    end(&worker);
}

#[test]
fn a_walk_survives_the_loss_of_its_connection() {
    let bench = Bench::new();
    let ids = bench.enqueue_many(&vec![NewJob::new("noop"); 500]);
    let held = barrier(&bench, ids[250]);
    let bulk = bench.enqueue(&bulk_job(BulkKind::Cancel, r#"{"kind": "noop"}"#));
    let worker = bench.start(bulk_config(&bench, 100));
    until_stuck(&bench, bulk, 250);
    let cut = bench.number(
        "select count(pg_terminate_backend(pid)) as n from pg_stat_activity
         where datname = current_database() and query like '%bulk_cancel_step%' and pid <> pg_backend_pid()",
    );
    assert!(cut >= 1);
    drop(held);
    let job = bench.until(bulk, JobState::Completed);
    assert_eq!(job.attempt, 1);
    assert_eq!(affected(&bench, bulk), 500);
    assert_eq!(recorded(&bench), (500, 500));
    end(&worker);
}

#[test]
fn every_failed_job_is_retried_once_also_when_the_walk_changes_hands() {
    let bench = Bench::new();
    let failing = kind(
        "fails",
        Always(Finish::Failed {
            error: "no".into(),
            retry: false,
        }),
    );
    let mut settings = config();
    settings.kinds.push(failing);
    let maker = bench.start(settings);
    let ids = bench.enqueue_many(&vec![NewJob::new("fails"); 300]);
    eventually(PATIENCE, || {
        (bench.count(JobState::Failed) == 300).then_some(())
    });
    end(&maker);
    let bulk = bench.enqueue(&bulk_job(BulkKind::Retry, r#"{"kind": "fails"}"#));
    // Held in the finished job, so that the walk stands still before it.
    let mut held = bench.test.conn();
    held.batch_execute(&format!(
        "begin; select from belay.job_done where id = {} for update",
        ids[170]
    ))
    .unwrap();
    let mut alone = bulk_config(&bench, 50);
    alone.duties = false;
    let first = bench.start(alone);
    until_stuck(&bench, bulk, 170);
    bench
        .test
        .conn()
        .batch_execute(&format!(
            "update belay.worker set dead_at = now() where id = {}",
            first.id()
        ))
        .unwrap();
    let second = bench.start(bulk_config(&bench, 50));
    until_taken_up(&bench, bulk);
    drop(held);
    bench.until(bulk, JobState::Completed);
    assert_eq!(affected(&bench, bulk), 300);
    assert_eq!(
        (
            bench.number("select count(*) as n from belay.job where kind = 'fails'"),
            bench
                .number("select count(distinct retry_of) as n from belay.job where kind = 'fails'")
        ),
        (300, 300)
    );
    end(&first);
    end(&second);
}
