//! The database of one test, and what a test asks of it.

use std::time::Duration;

use belay_core::db::DbConfig;
use belay_core::id::JobRef;
use belay_core::model::{Job, OutputView};
use belay_core::ops::{self, Actor, CancelAnswer, CancelLimit, NewJob, Via};
use belay_core::{Db, JobState, query};
use belay_testkit::{TestDb, eventually};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use tempfile::TempDir;

/// Only a broken program takes longer for anything.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A database, and a folder for whoever needs one.
pub(crate) struct World {
    pub(crate) test: TestDb,
    pub(crate) db: Db,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let test = TestDb::new();
        let config = DbConfig {
            pool_size: 2,
            ..DbConfig::new(test.url())
        };
        Self {
            db: Db::new(config).unwrap(),
            test,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn enqueue(&self, job: &NewJob) -> i64 {
        self.db
            .tx(|conn| ops::enqueue(conn, 1, job, None, false, &actor()))
            .unwrap()
            .id
    }

    pub(crate) fn cancel(&self, id: i64, reason: &str) -> CancelAnswer {
        self.db
            .tx(|conn| ops::cancel_one(conn, None, id, &actor(), Some(reason), CancelLimit::Any))
            .unwrap()
    }

    pub(crate) fn suspend(&self, id: i64) -> belay_core::Result<JobState> {
        self.db
            .tx(|conn| ops::suspend(conn, None, id, &actor(), None))
    }

    pub(crate) fn resume(&self, id: i64) -> belay_core::Result<JobState> {
        self.db
            .tx(|conn| ops::resume(conn, None, id, &actor(), None))
    }

    pub(crate) fn job(&self, id: i64) -> Job {
        self.db
            .read(|conn| query::get(conn, None, &JobRef::number(id)))
            .unwrap()
    }

    /// Waits until a job is in that state.
    #[track_caller]
    pub(crate) fn until(&self, id: i64, state: JobState) -> Job {
        eventually(LONG, || {
            let job = self.job(id);
            assert!(
                job.state == state || !job.state.is_terminal(),
                "job {id} ended as {}, not as {state}: {:?}, {:?}",
                job.state,
                job.last_error,
                self.events(id)
            );
            (job.state == state).then_some(job)
        })
    }

    /// Waits until a job runs under that fence.
    #[track_caller]
    pub(crate) fn until_running(&self, id: i64, fence: i32) -> Job {
        eventually(LONG, || {
            let job = self.job(id);
            assert!(
                !job.state.is_terminal() && job.fence <= fence,
                "job {id} is {} under fence {}: {:?}, {:?}",
                job.state,
                job.fence,
                job.last_error,
                self.events(id)
            );
            (job.state == JobState::Running && job.fence == fence).then_some(job)
        })
    }

    /// The rung on record of a job that was cancelled.
    #[track_caller]
    pub(crate) fn rung(&self, id: i64) -> String {
        let job = self.job(id);
        job.cancel().unwrap().rung.clone().unwrap()
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

    /// How often that event is on record.
    pub(crate) fn happened(&self, id: i64, event: &str) -> usize {
        self.events(id).iter().filter(|name| *name == event).count()
    }

    /// Output of the last attempt that wrote any.
    pub(crate) fn output(&self, id: i64) -> Option<OutputView> {
        self.db.read(|conn| query::outputs(conn, id)).unwrap().pop()
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            n: i64,
        }
        diesel::sql_query(format!("select ({sql})::bigint as n"))
            .get_result::<Row>(&mut self.test.conn())
            .unwrap()
            .n
    }

    /// The number of the newest worker of that name that lives.
    pub(crate) fn worker(&self, name: &str) -> Option<i64> {
        let id = self.number(&format!(
            "select coalesce(max(id), 0) from belay.worker where name = '{name}' and dead_at is null"
        ));
        (id > 0).then_some(id)
    }
}

fn actor() -> Actor {
    Actor::new("test", Via::Native)
}
