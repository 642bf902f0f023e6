//! The executor in a whole worker, on a real database.

use std::sync::Arc;
use std::time::Duration;

use belay_core::db::DbConfig;
use belay_core::id::JobRef;
use belay_core::model::Job;
use belay_core::ops::{self, Actor, CancelLimit, NewJob, Report, Verdict, Via};
use belay_core::{Db, JobState, query};
use belay_metrics::Metrics;
use belay_testkit::{TestDb, eventually};
use belay_worker::executors::http::{HeaderSource, HttpExecutor, HttpSettings};
use belay_worker::{Backoff, KindConfig, Worker, WorkerConfig, WorkerError};

use crate::receiver::{Receiver, Reply, Request};
use crate::support::settings;

const PATIENCE: Duration = Duration::from_secs(30);

struct Bench {
    _test: TestDb,
    db: Db,
    metrics: Metrics,
}

impl Bench {
    fn new() -> Self {
        let test = TestDb::new();
        let db = Db::new(DbConfig::new(test.url())).unwrap();
        Self {
            _test: test,
            db,
            metrics: Metrics::new().unwrap(),
        }
    }

    /// A worker with one kind, `hook`.
    fn start(&self, settings: HttpSettings) -> Result<Worker, WorkerError> {
        let mut config = WorkerConfig::new("test");
        config.beat = Duration::from_millis(200);
        config.lease = Duration::from_secs(10);
        let executor = HttpExecutor::new(settings).unwrap();
        let mut kind = KindConfig::new("hook", "http", Arc::new(executor));
        kind.spec.backoff = Backoff::fixed(Duration::ZERO);
        config.kinds.push(kind);
        Worker::start(self.db.clone(), config, self.metrics.clone())
    }

    fn enqueue(&self, timeout_s: Option<i32>) -> i64 {
        let job = NewJob {
            payload: r#"{"to": "you"}"#.into(),
            timeout_s,
            max_attempts: Some(2),
            ..NewJob::new("hook")
        };
        self.db
            .tx(|conn| ops::enqueue(conn, 1, &job, None, false, &actor()))
            .unwrap()
            .id
    }

    fn cancel(&self, id: i64) {
        let limit = CancelLimit::Any;
        self.db
            .tx(|conn| ops::cancel_one(conn, None, id, &actor(), None, limit))
            .unwrap();
    }

    fn job(&self, id: i64) -> Job {
        self.db
            .read(|conn| query::get(conn, None, &JobRef::number(id)))
            .unwrap()
    }

    #[track_caller]
    fn until(&self, id: i64, state: JobState) -> Job {
        eventually(PATIENCE, || {
            Some(self.job(id)).filter(|job| job.state == state)
        })
    }

    /// What the receiver of an attempt says of it.
    fn report(&self, id: i64, fence: i32, verdict: Verdict) -> ops::Settled {
        let worker = self.job(id).worker.unwrap();
        let report = Report { id, fence, verdict };
        let settled = self
            .db
            .tx(|conn| ops::settle(conn, worker, &[report.clone()]))
            .unwrap();
        settled[0]
    }

    fn notes(&self, id: i64) -> String {
        let outputs = self.db.read(|conn| query::outputs(conn, id)).unwrap();
        outputs
            .last()
            .map(|output| output.stderr.clone())
            .unwrap_or_default()
    }
}

fn actor() -> Actor {
    Actor::new("test", Via::Native)
}

fn end(worker: &Worker) {
    worker.drain();
    assert!(worker.join_timeout(PATIENCE), "the worker did not end");
}

fn fence(request: &Request) -> i32 {
    request.header("belay-fence").unwrap().parse().unwrap()
}

/// Answers work with one thing, cancels with 200.
fn receiver(work: Reply) -> Receiver {
    Receiver::new(move |request| {
        if request.line.contains("/cancel") {
            Reply::ok()
        } else {
            work.clone()
        }
    })
}

fn with_cancel(receiver: &Receiver) -> HttpSettings {
    let mut settings = settings(receiver.url("/work"));
    settings.cancel_url = Some(receiver.url("/cancel"));
    settings
}

#[test]
fn retries_carry_the_same_key_and_a_higher_fence() {
    let bench = Bench::new();
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let receiver =
        Receiver::new(
            move |_| match tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 => Reply::with("503 Busy", "Retry-After: 1\r\n", b"busy"),
                _ => Reply::ok(),
            },
        );
    let worker = bench.start(settings(receiver.url("/work"))).unwrap();
    let id = bench.enqueue(None);
    let job = bench.until(id, JobState::Completed);
    end(&worker);
    assert_eq!(job.attempt, 2);
    let requests = receiver.requests();
    let [first, second] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert_eq!(
        first.header("idempotency-key"),
        second.header("idempotency-key")
    );
    assert_eq!(first.header("belay-job-id"), Some(id.to_string().as_str()));
    assert!(fence(second) > fence(first));
    assert_eq!(
        (
            first.header("belay-attempt"),
            second.header("belay-attempt")
        ),
        (Some("1"), Some("2"))
    );
}

#[test]
fn accepted_work_ends_when_its_receiver_reports() {
    let bench = Bench::new();
    let receiver = receiver(Reply::status("202 Accepted", ""));
    let worker = bench.start(with_cancel(&receiver)).unwrap();
    let id = bench.enqueue(None);
    eventually(PATIENCE, || bench.notes(id).contains("202").then_some(()));
    assert_eq!(bench.job(id).state, JobState::Running);
    let fence = fence(&receiver.requests()[0]);
    // An older execution has no say.
    assert_eq!(
        bench.report(id, fence - 1, Verdict::Completed),
        ops::Settled::Stale
    );
    assert_eq!(
        bench.report(id, fence, Verdict::Completed),
        ops::Settled::Now(JobState::Completed)
    );
    // The slot is free again, without a further report and without a call.
    eventually(PATIENCE, || {
        (worker.status().running_heavy == 0).then_some(())
    });
    end(&worker);
    assert_eq!(bench.job(id).state, JobState::Completed);
    assert_eq!(receiver.connections(), 1);
    let text = bench.metrics.render(None).unwrap();
    let stale = text
        .lines()
        .find(|line| line.starts_with("belay_stale_reports_total"));
    assert!(stale.is_none_or(|line| line.ends_with(" 0")), "{stale:?}");
}

#[test]
fn a_cancel_reaches_the_receiver_and_is_on_record() {
    for work in [Reply::hang(), Reply::status("202 Accepted", "")] {
        let bench = Bench::new();
        let receiver = receiver(work);
        let worker = bench.start(with_cancel(&receiver)).unwrap();
        let id = bench.enqueue(None);
        eventually(PATIENCE, || (receiver.requests().len() == 1).then_some(()));
        bench.cancel(id);
        bench.cancel(id);
        let job = bench.until(id, JobState::Cancelled);
        assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("cooperative"));
        eventually(PATIENCE, || {
            bench
                .notes(id)
                .contains("confirmed by the receiver: 200")
                .then_some(())
        });
        end(&worker);
        let requests = receiver.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[1].header("belay-cancel"), Some("cancel"));
        assert_eq!(fence(&requests[0]), fence(&requests[1]));
    }
}

#[test]
fn an_attempt_over_its_time_is_called_off_and_fails() {
    let bench = Bench::new();
    let receiver = receiver(Reply::hang());
    let worker = bench.start(with_cancel(&receiver)).unwrap();
    let id = bench.enqueue(Some(1));
    let job = bench.until(id, JobState::Failed);
    end(&worker);
    assert!(job.last_error.unwrap().contains("timed out after 1 s"));
    let cancels: Vec<_> = receiver
        .requests()
        .into_iter()
        .filter(|r| r.line.contains("/cancel"))
        .collect();
    assert_eq!(cancels.len(), 2, "one for each attempt");
    assert!(
        cancels
            .iter()
            .all(|r| r.header("belay-cancel") == Some("timeout"))
    );
}

#[test]
fn work_of_a_worker_that_stops_now_is_dropped_and_given_back() {
    let bench = Bench::new();
    let receiver = receiver(Reply::hang());
    let worker = bench.start(with_cancel(&receiver)).unwrap();
    let id = bench.enqueue(None);
    eventually(PATIENCE, || (receiver.requests().len() == 1).then_some(()));
    worker.stop_now();
    assert!(worker.join_timeout(PATIENCE));
    let job = bench.job(id);
    assert!(
        matches!(job.state, JobState::Queued | JobState::Scheduled),
        "{:?}",
        job.state
    );
    assert_eq!(job.attempt, 0, "it keeps its attempt");
    eventually(PATIENCE, || (receiver.closed() == 1).then_some(()));
    assert_eq!(receiver.connections(), 1);
}

#[test]
fn a_refused_address_fails_the_job_at_once() {
    let bench = Bench::new();
    let receiver = receiver(Reply::ok());
    let worker = bench.start(HttpSettings::new(receiver.url("/"))).unwrap();
    let id = bench.enqueue(None);
    let job = bench.until(id, JobState::Failed);
    end(&worker);
    assert_eq!(job.attempt, 1);
    let error = job.last_error.unwrap();
    assert!(
        error.contains("127.0.0.1") && error.contains("`allow`"),
        "{error}"
    );
    assert_eq!(receiver.connections(), 0);
}

#[test]
fn a_worker_does_not_start_without_its_secrets() {
    let bench = Bench::new();
    let mut settings = HttpSettings::new("https://hook.example/");
    let source = HeaderSource::File("/nowhere/token".into());
    settings.headers.insert("Authorization".into(), source);
    let error = bench.start(settings).unwrap_err().to_string();
    assert!(
        error.contains("\"hook\"") && error.contains("/nowhere/token"),
        "{error}"
    );
}
