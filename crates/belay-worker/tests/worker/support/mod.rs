//! What the tests of the worker share.

pub(crate) mod executors;

use std::time::Duration;

use belay_core::db::DbConfig;
use belay_core::id::JobRef;
use belay_core::model::Job;
use belay_core::ops::{self, Actor, CancelAnswer, CancelLimit, NewJob, Via};
use belay_core::query;
use belay_core::{Db, JobState};
use belay_metrics::Metrics;
use belay_testkit::{TestDb, eventually};
use belay_worker::{Worker, WorkerConfig};
use diesel::prelude::*;

/// Only a broken program takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A database with its daemon's side.
pub(crate) struct Bench {
    pub(crate) test: TestDb,
    pub(crate) db: Db,
    pub(crate) metrics: Metrics,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let test = TestDb::new();
        let db = Db::new(DbConfig::new(test.url())).unwrap();
        Self {
            test,
            db,
            metrics: Metrics::new().unwrap(),
        }
    }

    pub(crate) fn start(&self, config: WorkerConfig) -> Worker {
        Worker::start(self.db.clone(), config, self.metrics.clone()).unwrap()
    }

    pub(crate) fn worker(&self) -> Worker {
        self.start(config())
    }

    pub(crate) fn enqueue(&self, job: &NewJob) -> i64 {
        self.db
            .tx(|conn| ops::enqueue(conn, 1, job, None, false, &actor()))
            .unwrap()
            .id
    }

    pub(crate) fn enqueue_many(&self, jobs: &[NewJob]) -> Vec<i64> {
        let made = self
            .db
            .tx(|conn| ops::enqueue_many(conn, 1, jobs, &actor()))
            .unwrap();
        made.iter().map(|job| job.id).collect()
    }

    pub(crate) fn cancel(&self, id: i64) -> CancelAnswer {
        self.db
            .tx(|conn| ops::cancel_one(conn, None, id, &actor(), Some("test"), CancelLimit::Any))
            .unwrap()
    }

    pub(crate) fn job(&self, id: i64) -> Job {
        self.db
            .read(|conn| query::get(conn, None, &JobRef::number(id)))
            .unwrap()
    }

    /// Waits until a job is in that state.
    #[track_caller]
    pub(crate) fn until(&self, id: i64, state: JobState) -> Job {
        eventually(PATIENCE, || {
            let job = self.job(id);
            assert!(
                job.state == state || !job.state.is_terminal(),
                "job {id} ended as {}, not as {state}: {:?}",
                job.state,
                job.last_error
            );
            (job.state == state).then_some(job)
        })
    }

    /// Names of the recorded events of a job, in order.
    pub(crate) fn events(&self, id: i64) -> Vec<String> {
        let job = self.job(id);
        self.db
            .read(|conn| query::timeline(conn, &job))
            .unwrap()
            .into_iter()
            .map(|entry| entry.event)
            .collect()
    }

    /// How many jobs are in each state, finished or not.
    pub(crate) fn count(&self, state: JobState) -> i64 {
        let table = if state.is_terminal() {
            "job_done"
        } else {
            "job"
        };
        self.number(&format!(
            "select count(*) as n from belay.{table} where state = '{state}'"
        ))
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            n: i64,
        }
        diesel::sql_query(sql)
            .get_result::<Row>(&mut self.test.conn())
            .unwrap()
            .n
    }

    /// A metric of this process, by the text before its value.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = self.metrics.render(None).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with(series) && line[series.len()..].starts_with(' '));
        line.map_or(0.0, |line| {
            line[series.len()..].trim().parse::<f64>().unwrap()
        })
    }
}

pub(crate) fn actor() -> Actor {
    Actor::new("test", Via::Native)
}

/// Quick settings: short heartbeats, so that tests without notifications do not take long.
pub(crate) fn config() -> WorkerConfig {
    let mut config = WorkerConfig::new("test");
    config.beat = Duration::from_millis(200);
    config.lease = Duration::from_secs(10);
    config
}

/// A job that sleeps.
pub(crate) fn sleep(seconds: f64) -> NewJob {
    NewJob {
        payload: format!("{{\"seconds\": {seconds}}}"),
        ..NewJob::new("sleep")
    }
}

/// Ends a worker in good order.
#[track_caller]
pub(crate) fn end(worker: &Worker) {
    worker.drain();
    assert!(worker.join_timeout(PATIENCE), "the worker did not end");
}
