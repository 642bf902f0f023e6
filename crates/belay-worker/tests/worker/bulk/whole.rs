//! Whole walks, beside others that claim; cancelled, held still; and what is no filter.

use super::{affected, barrier, bulk_config, bulk_job, recorded, until_stuck, with_terms};
use crate::support::executors::{Waits, kind};
use crate::support::{Bench, PATIENCE, actor, end};
use belay_core::JobState;
use belay_core::ops::{self, BulkKind, BulkTerms, NewJob, Outcome};
use belay_testkit::eventually;
use belay_worker::Worker;
use diesel::connection::SimpleConnection;

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
fn the_kinds_of_the_daemon_are_these() {
    let bench = Bench::new();
    let kinds = belay_worker::database_kinds(
        &bench.db,
        belay_worker::executors::ingest::IngestObjects::default(),
    );
    let known: Vec<_> = kinds
        .iter()
        .map(|kind| (kind.spec.name.as_str(), kind.spec.can_suspend))
        .collect();
    assert_eq!(
        known,
        [
            ("cancel_jobs", true),
            ("retry_jobs", true),
            ("ingest", false)
        ]
    );
    // What the migration knows of them is what a worker registers.
    for kind in &kinds {
        let same = bench.number(&format!(
            "select count(*) as n from belay.kind where name = '{}' and executor = '{}' and max_attempts = {} and can_suspend = {} and queue = 'default'",
            kind.spec.name, kind.spec.executor, kind.spec.max_attempts, kind.spec.can_suspend
        ));
        assert_eq!(same, 1, "{}", kind.spec.name);
    }
}
