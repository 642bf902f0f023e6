//! Bulk actions run by workers: whole, beside others that claim, stopped, held still, and taken up after a death.

use std::sync::Arc;
use std::time::Duration;

use crate::support::executors::{Waits, kind};
use crate::support::{Bench, PATIENCE, actor, config, end};
use belay_core::JobState;
use belay_core::ops::{
    self, BulkAttempt, BulkFilter, BulkKind, BulkTerms, LineFloor, NewJob, NewWorker, Outcome,
    Standing,
};
use belay_testkit::eventually;
use belay_worker::executors::bulk::Bulk;
use belay_worker::{KindConfig, Worker, WorkerConfig};
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;

/// A worker that runs bulk actions, by so many jobs in a step, and nothing of what they act on.
fn bulk_config(bench: &Bench, chunk: i32) -> WorkerConfig {
    let mut config = config();
    config.kinds = BulkKind::ALL
        .map(|bulk| {
            let executor = Bulk::new(bench.db.clone(), bulk).chunk(chunk);
            let mut kind = KindConfig::new(bulk.name(), "builtin", Arc::new(executor));
            kind.spec.max_attempts = 100;
            kind
        })
        .to_vec();
    config
}

fn bulk_job(bulk: BulkKind, payload: &str) -> NewJob {
    NewJob {
        payload: payload.into(),
        ..NewJob::new(bulk.name())
    }
}

/// Makes a bulk job with terms, as its interface does.
fn with_terms(bench: &Bench, job: &NewJob, terms: &BulkTerms) -> i64 {
    bench
        .db
        .tx(|conn| {
            let id = ops::enqueue(conn, 1, job, None, false, &actor())?.id;
            ops::keep_bulk_action(conn, id, terms, 0)?;
            Ok(id)
        })
        .unwrap()
}

fn affected(bench: &Bench, id: i64) -> i64 {
    bench.number(&format!(
        "select coalesce(max(affected_count), 0) as n from belay.bulk_action where job = {id}"
    ))
}

/// Cancels that are on record as made by bulk actions, and the jobs they are about.
fn recorded(bench: &Bench) -> (i64, i64) {
    let whence = "from belay.job_event where via = 'bulk-actions' and event in ('cancelled', 'cancel_requested')
        and not (event = 'cancelled' and was = 'cancelling')";
    (
        bench.number(&format!("select count(*) as n {whence}")),
        bench.number(&format!("select count(distinct job) as n {whence}")),
    )
}

/// Holds the row of a job until it is let go: no walk comes past it.
fn barrier(bench: &Bench, id: i64) -> PgConnection {
    let mut conn = bench.test.conn();
    conn.batch_execute(&format!(
        "begin; select from belay.job where id = {id} for update"
    ))
    .unwrap();
    conn
}

/// Waits until everything before the barrier is done.
fn until_stuck(bench: &Bench, bulk: i64, before: i64) {
    eventually(PATIENCE, || (affected(bench, bulk) == before).then_some(()));
}

/// Waits until another attempt than the first runs.
fn until_taken_up(bench: &Bench, bulk: i64) {
    eventually(PATIENCE, || {
        let job = bench.job(bulk);
        (job.fence > 1 && job.state == JobState::Running).then_some(())
    });
}

#[test]
fn a_whole_walk_with_claimers_beside_it_cancels_each_job_or_lets_it_run() {
    let bench = Bench::new();
    // These are claimed in large batches while the walk goes over them.
    let ids = bench.enqueue_many(&vec![NewJob::new("noop"); 4000]);
    let others = bench.enqueue_many(&vec![
        NewJob {
            queue: Some("elsewhere".into()),
            ..NewJob::new("noop")
        };
        500
    ]);
    let bulk = bench.enqueue(&bulk_job(
        BulkKind::Cancel,
        r#"{"queue": "default", "kind": "noop"}"#,
    ));
    let mut settings = bulk_config(&bench, 100);
    settings.kinds.extend(belay_worker::builtin_kinds());
    settings.batch = 20;
    settings.light_window = 40;
    let workers: [Worker; 2] = [bench.start(settings.clone()), bench.start(settings)];
    bench.until(bulk, JobState::Completed);
    eventually(PATIENCE, || {
        (bench.number("select count(*) as n from belay.job") == 0).then_some(())
    });
    workers.iter().for_each(end);
    let cancelled = bench.count(JobState::Cancelled);
    let all = (ids.len() + others.len() + 1) as i64;
    assert_eq!(cancelled + bench.count(JobState::Completed), all);
    assert!(cancelled > 0);
    assert_eq!(affected(&bench, bulk), cancelled);
    assert_eq!(recorded(&bench), (cancelled, cancelled));
    for id in others {
        assert_eq!(bench.job(id).state, JobState::Completed);
    }
    let progress = bench.number(&format!(
        "select done as n from belay.job_progress where job = {bulk} and done = total"
    ));
    assert_eq!(progress, cancelled);
}

#[test]
fn jobs_that_run_are_told_to_stop() {
    let bench = Bench::new();
    let waits = Waits::then_stopped();
    let mut settings = bulk_config(&bench, 100);
    settings.kinds.push(kind("waits", waits.clone()));
    let worker = bench.start(settings);
    let ids = bench.enqueue_many(&vec![NewJob::new("waits"); 3]);
    eventually(PATIENCE, || (waits.started() == 3).then_some(()));
    let bulk = with_terms(
        &bench,
        &bulk_job(BulkKind::Cancel, r#"{"state": "running", "kind": "waits"}"#),
        &BulkTerms {
            reason: Some("enough".into()),
            ..BulkTerms::default()
        },
    );
    bench.until(bulk, JobState::Completed);
    for id in ids {
        let job = bench.until(id, JobState::Cancelled);
        let cancel = job.cancel().unwrap();
        assert_eq!(
            (
                cancel.actor.as_str(),
                cancel.reason.as_deref(),
                cancel.interface.as_str()
            ),
            ("test", Some("enough"), "bulk-actions")
        );
    }
    assert_eq!(affected(&bench, bulk), 3);
    end(&worker);
}

#[test]
fn a_walk_that_is_cancelled_half_way_leaves_the_rest_untouched() {
    let bench = Bench::new();
    let ids = bench.enqueue_many(&vec![NewJob::new("noop"); 1000]);
    let held = barrier(&bench, ids[432]);
    let bulk = bench.enqueue(&bulk_job(BulkKind::Cancel, r#"{"kind": "noop"}"#));
    let worker = bench.start(bulk_config(&bench, 100));
    until_stuck(&bench, bulk, 432);
    assert_eq!(bench.cancel(bulk).outcome, Outcome::Cancelling);
    let job = bench.until(bulk, JobState::Cancelled);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("cooperative"));
    drop(held);
    end(&worker);
    for (i, id) in ids.iter().enumerate() {
        let expected = if i < 432 {
            JobState::Cancelled
        } else {
            JobState::Queued
        };
        assert_eq!(bench.job(*id).state, expected, "{i}");
    }
    assert_eq!(affected(&bench, bulk), 432);
    assert_eq!(
        bench.events(bulk),
        ["created", "claimed", "cancel_requested", "cancelled"]
    );
    assert_eq!(
        bench.number(&format!(
            "select count(*) as n from belay.job_event where job = {bulk} and detail ? 'finished_anyway'"
        )),
        0
    );
}

#[test]
fn a_walk_that_is_suspended_waits_and_goes_on() {
    let bench = Bench::new();
    let ids = bench.enqueue_many(&vec![NewJob::new("noop"); 50]);
    let held = barrier(&bench, ids[20]);
    let bulk = bench.enqueue(&bulk_job(BulkKind::Cancel, r#"{"kind": "noop"}"#));
    let worker = bench.start(bulk_config(&bench, 10));
    until_stuck(&bench, bulk, 20);
    bench
        .db
        .tx(|conn| ops::suspend(conn, None, bulk, &actor(), None))
        .unwrap();
    drop(held);
    // Some heartbeats that found it suspended: it would have gone on by now.
    let began = bench.number("select (extract(epoch from clock_timestamp()) * 1000)::bigint as n");
    eventually(PATIENCE, || {
        let now = bench.number(
            "select (extract(epoch from max(beat_at)) * 1000)::bigint as n from belay.worker",
        );
        (now > began + 600).then_some(())
    });
    assert_eq!(affected(&bench, bulk), 20);
    bench
        .db
        .tx(|conn| ops::resume(conn, None, bulk, &actor(), None))
        .unwrap();
    bench.until(bulk, JobState::Completed);
    assert_eq!(affected(&bench, bulk), 50);
    end(&worker);
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
fn what_is_no_filter_fails_at_once() {
    let bench = Bench::new();
    let untouched = bench.enqueue(&NewJob::new("noop"));
    let worker = bench.start(bulk_config(&bench, 100));
    for (payload, part) in [
        ("{}", "without a filter would act on everything"),
        ("[]", "needs a JSON object"),
        (
            r#"{"queue": "default", "limit": 3}"#,
            "unknown member \"limit\"",
        ),
        (r#"{"queue": ["default"]}"#, "queue is [\"default\"]"),
    ] {
        let id = bench.enqueue(&bulk_job(BulkKind::Cancel, payload));
        let job = bench.until(id, JobState::Failed);
        let error = job.last_error.unwrap();
        assert_eq!(job.attempt, 1);
        assert!(error.contains(part), "{payload}: {error}");
    }
    assert_eq!(bench.job(untouched).state, JobState::Queued);
    end(&worker);
}

#[test]
fn programs_can_make_bulk_jobs_in_their_transactions() {
    let bench = Bench::new();
    let ids = bench.enqueue_many(&vec![NewJob::new("noop"); 10]);
    bench
        .test
        .conn()
        .batch_execute(
            r#"begin; select belay.enqueue('cancel_jobs', '{"kind": "noop", "state": ["queued", "scheduled"]}'); commit"#,
        )
        .unwrap();
    let bulk = bench.number("select max(id) as n from belay.job");
    let worker = bench.start(bulk_config(&bench, 100));
    bench.until(bulk, JobState::Completed);
    assert_eq!(affected(&bench, bulk), 10);
    assert!(
        ids.iter()
            .all(|id| bench.job(*id).state == JobState::Cancelled)
    );
    end(&worker);
}

#[test]
fn every_failed_job_is_retried_once_also_when_the_walk_changes_hands() {
    let bench = Bench::new();
    let failing = kind(
        "fails",
        crate::support::executors::Always(belay_worker::executors::Finish::Failed {
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

#[test]
fn the_kinds_of_the_daemon_are_these() {
    let bench = Bench::new();
    let kinds = belay_worker::database_kinds(&bench.db);
    let known: Vec<_> = kinds
        .iter()
        .map(|kind| (kind.spec.name.as_str(), kind.spec.can_suspend))
        .collect();
    assert_eq!(known, [("cancel_jobs", true), ("retry_jobs", true)]);
    // What the migration knows of them is what a worker registers.
    for kind in &kinds {
        let same = bench.number(&format!(
            "select count(*) as n from belay.kind where name = '{}' and executor = '{}' and max_attempts = {} and can_suspend and queue = 'default'",
            kind.spec.name, kind.spec.executor, kind.spec.max_attempts
        ));
        assert_eq!(same, 1, "{}", kind.spec.name);
    }
}
