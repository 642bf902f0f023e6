//! A database, and a worker on it.

use std::time::Duration;

use belay_core::db::DbConfig;
use belay_core::id::JobRef;
use belay_core::model::{EventRow, Job};
use belay_core::ops::{
    self, Actor, CancelAnswer, CancelLimit, Claimed, LineFloor, NewJob, NewWorker, Report, Settled,
    Verdict, Via,
};
use belay_core::{Db, JobState, query};
use belay_metrics::Metrics;
use belay_testkit::{TestDb, eventually};
use belay_worker::{KindConfig, Worker, WorkerConfig};

/// Only a broken program takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Bench {
    pub(crate) test: TestDb,
    pub(crate) db: Db,
}

pub(crate) fn me() -> Actor {
    Actor::new("tester", Via::Native)
}

/// A job that sleeps for ten minutes.
pub(crate) fn long() -> NewJob {
    NewJob {
        payload: r#"{"seconds": 600}"#.into(),
        ..NewJob::new("sleep")
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let test = TestDb::new();
        let db = Db::new(DbConfig::new(test.url())).unwrap();
        Self { test, db }
    }

    /// A worker with short times, and these kinds beside the built-in ones.
    pub(crate) fn worker(&self, kinds: Vec<KindConfig>, listen: bool) -> Worker {
        let mut config = WorkerConfig::new("test");
        config.beat = Duration::from_millis(200);
        config.lease = Duration::from_secs(4);
        config.listen = listen;
        config.kinds.extend(kinds);
        Worker::start(self.db.clone(), config, Metrics::new().unwrap()).unwrap()
    }

    /// A worker that this test is itself.
    pub(crate) fn hand(&self) -> i64 {
        let worker = NewWorker {
            name: "hand".into(),
            host: "here".into(),
            pid: 1,
            version: "0".into(),
            queues: None,
            kinds: vec!["sleep".into()],
            slots: 1,
            lease: Duration::from_secs(60),
        };
        self.db.tx(|conn| ops::register(conn, &worker)).unwrap()
    }

    pub(crate) fn enqueue(&self, job: &NewJob) -> i64 {
        self.db
            .tx(|conn| ops::enqueue(conn, 1, job, None, false, &me()))
            .unwrap()
            .id
    }

    pub(crate) fn claim(&self, worker: i64) -> Claimed {
        let claimed = self.db.tx(|conn| {
            let lines: Vec<LineFloor> = ops::lines(conn)?
                .into_iter()
                .map(|line| LineFloor { line, floor: 0 })
                .collect();
            ops::claim(conn, worker, &lines, 1)
        });
        claimed.unwrap().pop().unwrap()
    }

    pub(crate) fn report(&self, worker: i64, job: &Claimed, verdict: Verdict) -> Settled {
        let report = Report {
            id: job.id,
            fence: job.fence,
            verdict,
        };
        let settled = self
            .db
            .tx(|conn| ops::settle(conn, worker, std::slice::from_ref(&report)));
        settled.unwrap().pop().unwrap()
    }

    pub(crate) fn cancel(&self, id: i64) -> CancelAnswer {
        self.db
            .tx(|conn| ops::cancel_one(conn, None, id, &me(), Some("enough"), CancelLimit::Any))
            .unwrap()
    }

    pub(crate) fn job(&self, id: i64) -> Job {
        self.db
            .read(|conn| query::get(conn, None, &JobRef::number(id)))
            .unwrap()
    }

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

    pub(crate) fn timeline(&self, id: i64) -> Vec<EventRow> {
        let job = self.job(id);
        self.db.read(|conn| query::timeline(conn, &job)).unwrap()
    }

    /// Lets a worker's lease run out and its jobs be taken.
    pub(crate) fn lose(&self, worker: i64) {
        use diesel::connection::SimpleConnection;
        let silent = format!(
            "update belay.worker set beat_at = clock_timestamp() - interval '1 hour' where id = {worker}"
        );
        self.test.conn().batch_execute(&silent).unwrap();
        self.db
            .tx(|conn| {
                ops::mark_dead(conn)?;
                ops::rescue(conn, 100, true)
            })
            .unwrap();
    }
}

/// Ends a worker in good order.
#[track_caller]
pub(crate) fn end(worker: &Worker) {
    worker.stop_now();
    assert!(worker.join_timeout(PATIENCE), "the worker did not end");
}
