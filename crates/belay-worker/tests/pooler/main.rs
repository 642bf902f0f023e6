//! Everything works behind a transaction pooler, where nothing of a session survives and LISTEN is dead. What notifications
//! would bring at once comes with the next poll or heartbeat.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod bouncer;
mod statements;

use std::thread;
use std::time::Duration;

use belay_core::db::DbConfig;
use belay_core::id::JobRef;
use belay_core::model::Job;
use belay_core::ops::{self, Actor, CancelLimit, NewJob, NewWorker, Outcome, Via};
use belay_core::query::{self, JobFilter};
use belay_core::{Db, JobState};
use belay_metrics::Metrics;
use belay_testkit::{TestDb, eventually};
use belay_worker::executors::ingest::IngestObjects;
use belay_worker::{Worker, WorkerConfig, builtin_kinds, database_kinds};

use bouncer::Bouncer;

/// Only a broken program takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

struct Bench {
    db: Db,
    // After the pool, before the database.
    _bouncer: Bouncer,
    test: TestDb,
}

impl Bench {
    fn new() -> Self {
        let test = TestDb::new();
        let bouncer = Bouncer::before(&test);
        let config = DbConfig {
            pooler: true,
            pool_size: 12,
            ..DbConfig::new(&bouncer.url)
        };
        Self {
            db: Db::new(config).unwrap(),
            _bouncer: bouncer,
            test,
        }
    }

    /// As a daemon with `pooler = true` starts it.
    fn worker(&self, name: &str) -> Worker {
        self.worker_with(name, |_| ())
    }

    fn worker_with(&self, name: &str, change: fn(&mut WorkerConfig)) -> Worker {
        let mut kinds = builtin_kinds();
        kinds.extend(database_kinds(&self.db, IngestObjects::default()));
        let mut config = WorkerConfig {
            kinds,
            listen: false,
            ..WorkerConfig::new(name)
        };
        change(&mut config);
        Worker::start(self.db.clone(), config, Metrics::new().unwrap()).unwrap()
    }

    fn enqueue(&self, job: &NewJob) -> i64 {
        self.db
            .tx(|conn| ops::enqueue(conn, 1, job, None, false, &actor()))
            .unwrap()
            .id
    }

    fn job(&self, id: i64) -> Job {
        self.db
            .read(|conn| query::get(conn, None, &JobRef::number(id)))
            .unwrap()
    }

    fn until(&self, id: i64, state: JobState) -> Job {
        eventually(PATIENCE, || {
            Some(self.job(id)).filter(|job| job.state == state)
        })
    }
}

fn actor() -> Actor {
    Actor::new("test", Via::Native)
}

fn sleep(seconds: &str) -> NewJob {
    NewJob {
        payload: format!("{{\"seconds\": {seconds}}}"),
        ..NewJob::new("sleep")
    }
}

fn end(worker: &Worker) {
    worker.stop_now();
    worker.join();
}

#[test]
fn a_cancel_reaches_a_running_job_within_a_heartbeat() {
    const BEAT: Duration = Duration::from_secs(3);
    let bench = Bench::new();
    let worker = bench.worker_with("pooled", |config| config.beat = BEAT);
    assert!(!worker.status().listening);
    let id = bench.enqueue(&sleep("600"));
    bench.until(id, JobState::Running);
    let answer = bench
        .db
        .tx(|conn| ops::cancel_one(conn, None, id, &actor(), Some("why"), CancelLimit::Any))
        .unwrap();
    assert_eq!(answer.outcome, Outcome::Cancelling);
    let ended = bench.until(id, JobState::Cancelled);
    // By the database's clock: one heartbeat, and what it takes to stop and to report.
    let took = ended.finished_at.unwrap() - ended.cancel().unwrap().at;
    let stop = Duration::from_secs(2);
    assert!(took.to_std().unwrap() < BEAT + stop, "it took {took}");
    assert_eq!(ended.cancel().unwrap().rung.as_deref(), Some("cooperative"));
    end(&worker);
}

#[test]
fn jobs_run_retry_and_hold_still() {
    let bench = Bench::new();
    let worker = bench.worker("pooled");
    let bad = bench.enqueue(&NewJob {
        max_attempts: Some(2),
        ..sleep("\"much\"")
    });
    let held = bench.enqueue(&sleep("600"));
    let later = bench.enqueue(&NewJob {
        run_at: Some(chrono::Utc::now() + chrono::TimeDelta::seconds(1)),
        ..NewJob::new("noop")
    });
    bench.until(later, JobState::Completed);
    assert!(bench.until(bad, JobState::Failed).last_error.is_some());
    bench.until(held, JobState::Running);
    bench
        .db
        .tx(|conn| ops::suspend(conn, None, held, &actor(), None))
        .unwrap();
    bench.until(held, JobState::Suspended);
    bench
        .db
        .tx(|conn| ops::resume(conn, None, held, &actor(), None))
        .unwrap();
    bench.until(held, JobState::Running);
    bench
        .db
        .tx(|conn| ops::cancel_one(conn, None, held, &actor(), None, CancelLimit::Any))
        .unwrap();
    bench.until(held, JobState::Cancelled);
    end(&worker);
}

#[test]
fn a_vanished_worker_is_noticed() {
    let bench = Bench::new();
    let gone = NewWorker {
        name: "gone".into(),
        host: "nowhere".into(),
        pid: 1,
        version: "0".into(),
        queues: None,
        kinds: vec!["noop".into()],
        slots: 1,
        lease: Duration::from_secs(1),
    };
    let id = bench.enqueue(&NewJob::new("noop"));
    let line = ops::Line {
        priority: 5,
        queue: "default".into(),
        kind: "noop".into(),
    };
    let claimed = bench
        .db
        .tx(|conn| {
            let worker = ops::register(conn, &gone)?;
            ops::claim(
                conn,
                worker,
                &[ops::LineFloor {
                    line: line.clone(),
                    floor: 0,
                }],
                1,
            )
        })
        .unwrap();
    assert_eq!(claimed.len(), 1);
    let worker = bench.worker("pooled");
    let ended = bench.until(id, JobState::Completed);
    assert_eq!((ended.attempt, ended.fence), (2, 3));
    end(&worker);
}

/// More clients than server connections, again and again, so that statements would meet each other's sessions if they were kept.
#[test]
fn many_clients_share_few_connections() {
    let bench = Bench::new();
    let workers = [bench.worker("one"), bench.worker("two")];
    let ids: Vec<i64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| one_client(&bench))).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(ids.len(), 8 * 8 * 6);
    for id in ids {
        eventually(PATIENCE, || bench.job(id).state.is_terminal().then_some(()));
    }
    workers.iter().for_each(end);
}

fn one_client(bench: &Bench) -> Vec<i64> {
    let mut all = Vec::new();
    for _ in 0..8 {
        let jobs = vec![NewJob::new("noop"); 5];
        let mut ids: Vec<i64> = bench
            .db
            .tx(|conn| ops::enqueue_many(conn, 1, &jobs, &actor()))
            .unwrap()
            .iter()
            .map(|job| job.id)
            .collect();
        ids.push(bench.enqueue(&sleep("0.01")));
        let answers = bench
            .db
            .tx(|conn| ops::cancel_many(conn, Some(1), &ids, &actor(), None, CancelLimit::Any))
            .unwrap();
        assert!(
            answers
                .iter()
                .map(|answer| answer.id)
                .eq(ids.iter().copied()),
            "one answer each, in order"
        );
        for answer in answers
            .iter()
            .filter(|answer| answer.outcome == Outcome::Cancelled)
        {
            assert_eq!(bench.job(answer.id).state, JobState::Cancelled);
        }
        assert!(
            !bench
                .db
                .read(|conn| query::list(conn, &JobFilter::default(), 20))
                .unwrap()
                .jobs
                .is_empty()
        );
        all.extend(ids);
    }
    all
}

#[test]
fn uploaded_data_is_loaded_or_refused_with_its_line() {
    let bench = Bench::new();
    let worker = bench.worker("pooled");
    let load = |text: &[u8]| {
        let job = NewJob {
            payload: "{\"object\": \"things\", \"operation\": \"upsert\"}".into(),
            ..NewJob::new("ingest")
        };
        let id = bench
            .db
            .tx(|c| ops::enqueue(c, 1, &job, None, true, &actor()))
            .unwrap()
            .id;
        for _ in 0..2 {
            let begun = bench.db.tx(|c| ops::begin_upload(c, None, id)).unwrap();
            let ops::Begun::Upload(file) = begun else {
                unreachable!("it is open");
            };
            let kept = bench.db.read(|c| ops::append_chunk(c, file, 1, text));
            assert!(kept.unwrap());
            let bytes = text.len() as i64;
            bench
                .db
                .tx(|c| ops::finish_upload(c, None, id, file, bytes))
                .unwrap();
        }
        bench.db.tx(|c| ops::close(c, None, id, &actor())).unwrap();
        id
    };
    let good = [load(b"id,name\n1,a\n2,b\n2,c\n"), load(b"id\n3\n")];
    let long: String = (0..4000)
        .map(|n| format!("{:x}", n * 7919 % 65_521))
        .collect();
    let bad = load(format!("id\n4\n{long}\n5\n").as_bytes());
    for id in good {
        bench.until(id, JobState::Completed);
    }
    let error = bench.until(bad, JobState::Failed).last_error.unwrap();
    assert!(error.starts_with("file 1, line 3: index row"), "{error}");
    end(&worker);
    use diesel::dsl::sql;
    use diesel::prelude::*;
    use diesel::sql_types::BigInt;
    let records: i64 = diesel::select(sql::<BigInt>("(select count(*) from belay.record)"))
        .get_result(&mut bench.test.conn())
        .unwrap();
    assert_eq!(records, 3);
}
