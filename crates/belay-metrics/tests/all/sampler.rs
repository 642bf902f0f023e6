//! The sampler against a real database.

use std::sync::Arc;
use std::time::Duration;

use belay_core::JobState;
use belay_core::db::{Db, DbConfig};
use belay_core::ops::{self, Actor, CancelLimit, KindSpec, NewJob, NewWorker, Via};
use belay_metrics::Sampler;
use belay_testkit::TestDb;
use diesel::connection::SimpleConnection;

fn spec(name: &str) -> KindSpec {
    KindSpec {
        name: name.into(),
        executor: "builtin".into(),
        queue: "default".into(),
        priority: 5,
        max_attempts: 3,
        timeout_s: None,
        can_suspend: false,
        ..KindSpec::new("", "")
    }
}

fn worker() -> NewWorker {
    NewWorker {
        name: "w".into(),
        host: "h".into(),
        pid: 1,
        version: "0".into(),
        queues: None,
        kinds: vec!["noop".into()],
        slots: 4,
        lease: Duration::from_secs(3600),
    }
}

#[test]
fn it_finds_jobs_workers_and_cancels() {
    let test = TestDb::new();
    let db = Db::new(DbConfig::new(test.url())).unwrap();
    let actor = Actor::new("test", Via::Native);
    db.tx(|conn| {
        ops::register_kinds(conn, &[spec("noop")])?;
        let worker = ops::register(conn, &worker())?;
        let jobs = ops::enqueue_many(conn, 1, &vec![NewJob::new("noop"); 3], &actor)?;
        let line = ops::Line {
            queue: "default".into(),
            kind: "noop".into(),
            priority: 5,
        };
        let claimed = ops::claim(conn, worker, &[ops::LineFloor { line, floor: 0 }], 2)?;
        assert_eq!(claimed.len(), 2);
        ops::cancel_one(conn, None, jobs[0].id, &actor, None, CancelLimit::Any)
    })
    .unwrap();

    let sampler = Sampler::new(db.clone(), Duration::ZERO).overdue_after(Duration::ZERO);
    let sample = sampler.sample();
    assert!(sample.up);
    let reading = sample.reading.as_ref().unwrap();
    let count = |state| {
        reading
            .jobs
            .iter()
            .find(|row| row.queue == "default" && row.state == state)
            .map_or(0, |row| row.jobs)
    };
    assert_eq!(count(JobState::Queued), 1);
    assert_eq!(count(JobState::Running), 1);
    assert_eq!(count(JobState::Cancelling), 1);
    assert_eq!(reading.cancelling.now, 1);
    assert_eq!(reading.cancelling.overdue, 1);
    assert!(reading.cancelling.oldest_s > 0.0);
    assert_eq!((reading.workers.alive, reading.workers.slots), (1, 4));
    assert!(reading.partitions_ahead >= 1);

    // Its kind has no grace period, and its worker an hour.
    let overdue = || {
        let sample = Sampler::new(db.clone(), Duration::ZERO).sample();
        sample.reading.as_ref().unwrap().cancelling.overdue
    };
    // The guard lets nobody write a cancel anew.
    let change = |sql: &str| {
        let sql = format!("set session_replication_role = replica; {sql}");
        test.conn().batch_execute(&sql).unwrap();
    };
    assert_eq!(overdue(), 0);
    change(
        "update belay.job set cancel_at = cancel_at - interval '61 min' where cancel_at is not null",
    );
    assert_eq!(overdue(), 1);
    change("update belay.kind set grace_ms = 120000 where name = 'noop'");
    assert_eq!(overdue(), 0);
    change("update belay.worker set lease_ms = 1000");
    assert_eq!(overdue(), 1);
}

#[test]
fn a_young_sample_is_shared() {
    let test = TestDb::new();
    let db = Db::new(DbConfig::new(test.url())).unwrap();
    let sampler = Sampler::new(db, Duration::from_secs(3600));
    let samples: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| sampler.sample())).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(samples.iter().all(|s| Arc::ptr_eq(s, &samples[0])));
}

#[test]
fn a_database_that_is_away_is_a_finding() {
    let mut config = DbConfig::new("postgres://nobody@127.0.0.1:1/none?connect_timeout=1");
    config.pool_wait = Duration::from_millis(50);
    let sampler = Sampler::new(Db::new(config).unwrap(), Duration::ZERO);
    let sample = sampler.sample();
    assert!(!sample.up);
    assert!(sample.reading.is_none());
}
