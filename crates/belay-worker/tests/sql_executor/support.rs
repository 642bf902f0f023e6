//! A database with a table, a role that may fill it, and workers that run statements as that role.

use std::time::Duration;

use belay_core::db::DbConfig;
use belay_core::id::JobRef;
use belay_core::model::Job;
use belay_core::ops::{self, Actor, CancelAnswer, CancelLimit, NewJob, Via};
use belay_core::{Backoff, Db, JobState, query};
use belay_metrics::Metrics;
use belay_testkit::{TEST_URL_VARIABLE, TestDb, eventually};
use belay_worker::executors::sql::{SqlExecutor, SqlSettings};
use belay_worker::{KindConfig, Worker, WorkerConfig, WorkerError};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

/// Only a broken program takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The kind that all of them run.
pub(crate) const KIND: &str = "statement";

/// What an effect looks like: which transaction made it, and a value of the payload.
pub(crate) const EFFECT: &str =
    "insert into public.effect (xid, value) values (pg_current_xact_id()::text, $1)";

/// A login role, dropped with the value.
pub(crate) struct LoginRole(pub(crate) String);

impl Drop for LoginRole {
    fn drop(&mut self) {
        let admin = std::env::var(TEST_URL_VARIABLE).map(|url| PgConnection::establish(&url));
        if let Ok(Ok(mut admin)) = admin {
            let _ = admin.batch_execute(&format!("drop role if exists {}", self.0));
        }
    }
}

/// Databases go before roles.
pub(crate) struct Bench {
    pub(crate) db: Db,
    pub(crate) test: TestDb,
    pub(crate) role: LoginRole,
}

/// The same place as another role.
pub(crate) fn as_role(url: &str, role: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (_, place) = rest.split_once('@').unwrap();
    format!("{scheme}://{role}:hunter2@{place}")
}

/// The table of effects.
pub(crate) const TABLE: &str = "create table public.effect (xid text, value text)";

impl Bench {
    pub(crate) fn new() -> Self {
        let test = TestDb::new();
        let db = Db::new(DbConfig::new(test.url())).unwrap();
        let role = LoginRole(format!("{}_role", test.name()));
        let bench = Self { db, test, role };
        let name = &bench.role.0;
        bench.sql(&format!(
            "create role {name} login; grant belay_sql to {name}; {TABLE}; grant select, insert on public.effect to {name};
             create schema own authorization {name}"
        ));
        bench
    }

    pub(crate) fn url(&self) -> String {
        as_role(self.test.url(), &self.role.0)
    }

    pub(crate) fn sql(&self, sql: &str) {
        self.test.conn().batch_execute(sql).unwrap();
    }

    /// As the role of the statements.
    pub(crate) fn as_role(&self, sql: &str) {
        PgConnection::establish(&self.url())
            .unwrap()
            .batch_execute(sql)
            .unwrap();
    }

    pub(crate) fn settings(&self, statement: &str) -> SqlSettings {
        let mut settings = SqlSettings::new(self.url(), statement);
        if statement.contains("$1") {
            settings.params = vec!["value".into()];
        }
        settings.grace = Duration::from_secs(1);
        settings
    }

    pub(crate) fn config(settings: SqlSettings) -> WorkerConfig {
        let executor = SqlExecutor::new(settings).unwrap();
        let mut kind = KindConfig::new(KIND, "sql", std::sync::Arc::new(executor));
        kind.spec.backoff = Backoff::fixed(Duration::from_millis(10));
        let mut config = WorkerConfig::new("test");
        config.beat = Duration::from_millis(200);
        config.lease = Duration::from_secs(10);
        config.kinds.push(kind);
        config
    }

    pub(crate) fn try_start(&self, config: WorkerConfig) -> Result<Worker, WorkerError> {
        Worker::start(self.db.clone(), config, Metrics::new().unwrap())
    }

    pub(crate) fn start(&self, config: WorkerConfig) -> Worker {
        self.try_start(config).unwrap()
    }

    /// A worker for that statement.
    pub(crate) fn worker(&self, statement: &str) -> Worker {
        self.start(Self::config(self.settings(statement)))
    }

    /// A worker that learns of a cancel long after a test is over.
    pub(crate) fn deaf_worker(&self, settings: SqlSettings) -> Worker {
        let mut config = Self::config(settings);
        config.listen = false;
        config.beat = Duration::from_secs(10);
        config.lease = Duration::from_secs(60);
        self.start(config)
    }

    pub(crate) fn enqueue(&self, payload: &str) -> i64 {
        self.enqueue_with(payload, |_| ())
    }

    pub(crate) fn enqueue_with(&self, payload: &str, change: impl FnOnce(&mut NewJob)) -> i64 {
        let mut job = NewJob {
            payload: payload.into(),
            ..NewJob::new(KIND)
        };
        change(&mut job);
        self.db
            .tx(|conn| ops::enqueue(conn, 1, &job, None, false, &actor()))
            .unwrap()
            .id
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

    /// Enqueues a job that fails, and answers why it did. It must not be tried twice.
    #[track_caller]
    pub(crate) fn failure(&self, payload: &str) -> String {
        let id = self.enqueue(payload);
        let job = self.until(id, JobState::Failed);
        assert_eq!(job.attempt, 1, "{:?}", job.last_error);
        job.last_error.unwrap()
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        number(&mut self.test.conn(), sql)
    }

    pub(crate) fn effects(&self) -> i64 {
        self.number("select count(*) as n from public.effect")
    }

    /// Effects that were made by the transaction that ended the job as completed.
    pub(crate) fn effects_of(&self, id: i64) -> i64 {
        self.number(&format!(
            "select count(*) as n from public.effect e join belay.job_done d on d.xmin::text::bigint = e.xid::bigint & 4294967295
             where d.id = {id} and d.state = 'completed'"
        ))
    }

    /// Waits until so many sessions of the role are like that.
    #[track_caller]
    pub(crate) fn until_sessions(&self, condition: &str, count: i64) {
        let sql = format!(
            "select count(*) as n from pg_stat_activity where datname = current_database() and usename = '{}' and {condition}",
            self.role.0
        );
        eventually(PATIENCE, || (self.number(&sql) == count).then_some(()));
    }

    /// Waits until a statement waits for the lock of [`HELD`].
    #[track_caller]
    pub(crate) fn until_held(&self) {
        self.until_sessions("wait_event_type = 'Lock' and wait_event = 'advisory'", 1);
    }

    /// Holds back every statement that is [`HELD`] for as long as the connection lives.
    pub(crate) fn hold(&self) -> PgConnection {
        let mut conn = self.test.conn();
        conn.batch_execute("select pg_advisory_lock(77)").unwrap();
        conn
    }
}

/// An effect that waits, in its middle, for [`Bench::hold`].
pub(crate) const HELD: &str = "with made as (insert into public.effect (xid, value) values (pg_current_xact_id()::text, $1) returning 1)
    select pg_advisory_xact_lock_shared(77) from made";

pub(crate) fn number(conn: &mut PgConnection, sql: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    diesel::sql_query(sql).get_result::<Row>(conn).unwrap().n
}

pub(crate) fn actor() -> Actor {
    Actor::new("test", Via::Native)
}

/// Ends a worker in good order.
#[track_caller]
pub(crate) fn end(worker: &Worker) {
    worker.drain();
    assert!(worker.join_timeout(PATIENCE), "the worker did not end");
}

/// Ends a worker at once.
#[track_caller]
pub(crate) fn stop(worker: &Worker) {
    worker.stop_now();
    assert!(worker.join_timeout(PATIENCE), "the worker did not end");
}
