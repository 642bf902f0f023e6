//! How closures end, and what they can say meanwhile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use belay_core::JobState;
use belay_core::ops::NewJob;
use belay_core::query;
use belay_testkit::{Gate, eventually};
use belay_worker::executors::native::{JobError, Native};
use belay_worker::{Worker, WorkerError};
use serde::Deserialize;

use super::{builder, job, outputs, start, sync};
use crate::support::{Bench, PATIENCE, end};

#[derive(Deserialize)]
struct Letter {
    to: String,
}

#[test]
fn a_closure_completes_its_job_and_knows_it() {
    let bench = Bench::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (first, second) = (Arc::clone(&seen), Arc::clone(&seen));
    let worker = start(
        &bench,
        [
            sync("mail.send", move |job| {
                let letter: Letter = job.payload_as()?;
                first.lock().unwrap().push((letter.to, job));
                Ok(())
            }),
            Native::asynchronous("mail.fetch", move |job| {
                let seen = Arc::clone(&second);
                async move {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    let letter: Letter = job.payload_as()?;
                    seen.lock().unwrap().push((letter.to, job));
                    Ok(())
                }
            })
            .max_attempts(7),
        ],
    );
    let sent = bench.enqueue(&job("mail.send", r#"{"to": "a"}"#));
    bench.until(sent, JobState::Completed);
    let fetched = bench.enqueue(&job("mail.fetch", r#"{"to": "b"}"#));
    bench.until(fetched, JobState::Completed);
    end(&worker);
    let seen = seen.lock().unwrap();
    let (to, job) = &seen[0];
    assert_eq!((to.as_str(), job.id()), ("a", sent));
    assert_eq!((job.attempt(), job.max_attempts(), job.fence()), (1, 5, 1));
    assert_eq!(
        (job.kind(), job.queue(), job.tenant()),
        ("mail.send", "default", 1)
    );
    assert_eq!(job.payload(), r#"{"to": "a"}"#);
    assert_eq!(
        job.uid(),
        belay_core::id::uid(sent, bench.job(sent).created_at).to_string()
    );
    assert!(job.is_cancelled(), "code that is left sees that it is over");
    assert_eq!(job.stop_cause(), None);
    let (to, job) = &seen[1];
    assert_eq!((to.as_str(), job.max_attempts()), ("b", 7));
}

#[test]
fn errors_fail_the_attempt_or_the_job() {
    let bench = Bench::new();
    let worker = start(
        &bench,
        [
            sync("parses", |_| {
                "x".parse::<u32>()?;
                Ok(())
            }),
            sync("fails", |_| Err(JobError::failed("no luck"))),
            sync("reads", |job| {
                job.payload_as::<Letter>()?;
                Ok(())
            }),
            sync("gives.up", |_| Err(JobError::fatal("no hope"))),
            sync("stops", |_| Err(JobError::stopped())),
        ]
        .map(|kind| kind.max_attempts(2)),
    );
    for (kind, attempts, error) in [
        ("parses", 2, "invalid digit found in string"),
        ("fails", 2, "no luck"),
        (
            "reads",
            1,
            "the payload is not what reads expects: missing field `to` at line 1 column 2",
        ),
        ("gives.up", 1, "no hope"),
        (
            "stops",
            2,
            "its code says that it was stopped, and nobody had told it to stop",
        ),
    ] {
        let job = bench.until(bench.enqueue(&NewJob::new(kind)), JobState::Failed);
        assert_eq!(job.last_error.as_deref(), Some(error));
        assert_eq!(job.attempt, attempts, "{kind}");
    }
    end(&worker);
}

#[test]
fn a_panic_is_a_failure_and_the_worker_goes_on() {
    let bench = Bench::new();
    let worker = start(
        &bench,
        [
            sync("sync", |job| {
                assert_ne!(job.payload(), "1", "out of cheese");
                Ok(())
            }),
            Native::asynchronous("async", |job| {
                // In the closure itself, not in its future.
                assert_ne!(job.payload(), "1", "out of cheese");
                async move {
                    assert_ne!(job.payload(), "2", "out of bread");
                    Ok(())
                }
            }),
        ]
        .map(|kind| kind.max_attempts(1)),
    );
    for (kind, payload, word) in [
        ("sync", "1", "cheese"),
        ("async", "1", "cheese"),
        ("async", "2", "bread"),
    ] {
        let job = bench.until(bench.enqueue(&job(kind, payload)), JobState::Failed);
        let error = job.last_error.unwrap();
        assert!(
            error.starts_with("panicked: ") && error.contains(word),
            "{error}"
        );
    }
    for kind in ["sync", "async"] {
        bench.until(bench.enqueue(&NewJob::new(kind)), JobState::Completed);
    }
    end(&worker);
}

#[test]
fn a_closure_can_say_when_it_wants_to_run_again() {
    let bench = Bench::new();
    let worker = start(
        &bench,
        [
            Native::sync("snoozes", |job| match job.fence() {
                1 => job.snooze(Duration::from_millis(1)),
                _ => Ok(()),
            }),
            // Its own backoff would take an hour.
            Native::sync("waits", |job| match job.attempt() {
                1 => Err(JobError::retry_after("busy", Duration::from_millis(1))),
                _ => Ok(()),
            })
            .backoff(belay_worker::Backoff::fixed(Duration::from_secs(3600))),
        ],
    );
    let (snoozes, waits) = (
        bench.enqueue(&NewJob::new("snoozes")),
        bench.enqueue(&NewJob::new("waits")),
    );
    let job = bench.until(snoozes, JobState::Completed);
    assert_eq!((job.attempt, job.fence), (1, 2));
    let job = bench.until(waits, JobState::Completed);
    assert_eq!((job.attempt, job.fence), (2, 2));
    end(&worker);
}

#[test]
fn output_and_progress_are_seen_while_it_runs_and_bounded() {
    let bench = Bench::new();
    let gate = Gate::new("half way");
    let theirs = gate.clone();
    let worker = start(
        &bench,
        [sync("talks", move |job| {
            job.log("begun");
            job.output(b"a\xff\0b\n");
            job.error_output("careful\n");
            job.progress(1, 2, "half");
            theirs.wait();
            job.output(vec![b'x'; 1_000_000]);
            job.log("ended");
            job.progress(2, None, "");
            Ok(())
        })],
    );
    let id = bench.enqueue(&NewJob::new("talks"));
    gate.reached(1);
    let output = eventually(PATIENCE, || outputs(&bench, id).pop());
    assert_eq!(output.stdout, "begun\na\u{fffd}\u{fffd}b\n");
    assert_eq!(output.stderr, "careful\n");
    let progress = || bench.db.read(|conn| query::progress(conn, id)).unwrap();
    let half = eventually(PATIENCE, progress);
    assert_eq!(
        (half.done, half.total, half.message.as_deref()),
        (1, Some(2), Some("half"))
    );
    gate.open();
    bench.until(id, JobState::Completed);
    end(&worker);
    let output = outputs(&bench, id).pop().unwrap();
    assert_eq!(output.stdout_bytes, 6 + 5 + 1_000_000 + 6);
    assert_eq!(output.stdout.len(), 64 * 1024);
    assert!(output.stdout.ends_with("xxended\n"));
    let whole = progress().unwrap();
    assert_eq!((whole.done, whole.total, whole.message), (2, None, None));
}

#[test]
fn as_many_synchronous_jobs_run_at_once_as_there_are_slots() {
    let bench = Bench::new();
    let gate = Gate::new("all at once");
    let theirs = gate.clone();
    // More than the threads that a runtime has for such code by itself.
    let worker = builder(&bench)
        .slots(600)
        .kind(sync("waits", move |_| {
            theirs.wait();
            Ok(())
        }))
        .start()
        .unwrap();
    bench.enqueue_many(&vec![NewJob::new("waits"); 600]);
    gate.reached(600);
    gate.open();
    eventually(PATIENCE, || {
        (bench.count(JobState::Completed) == 600).then_some(())
    });
    end(&worker);
}

#[test]
fn a_worker_that_cannot_work_is_refused_with_a_reason() {
    let bench = Bench::new();
    let kind = || Native::sync("k", |_| Ok(()));
    let refused = |result: Result<Worker, WorkerError>| match result {
        Err(WorkerError::Invalid { setting, .. }) => setting,
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(refused(Worker::builder().kind(kind()).start()), "database");
    assert_eq!(refused(builder(&bench).start()), "kinds");
    let twice = builder(&bench).kind(kind()).kind(kind());
    assert_eq!(refused(twice.start()), "kinds");
    let nothing = builder(&bench).kind(kind().prefetch(0, 1));
    assert_eq!(refused(nothing.start()), "prefetch.ahead");
    let never = builder(&bench).kind(kind().prefetch(1, 0));
    assert_eq!(refused(never.start()), "prefetch.at_once");
    // A name that is none is the database's to refuse.
    let result = builder(&bench)
        .kind(Native::sync("no name", |_| Ok(())))
        .start();
    assert!(
        matches!(result, Err(WorkerError::Database(_))),
        "{result:?}"
    );
    let bare = belay_testkit::TestDb::unmigrated();
    let error = Worker::builder()
        .database(bare.url())
        .kind(kind())
        .start()
        .unwrap_err();
    assert!(error.to_string().contains("belay migrate"), "{error}");
}
