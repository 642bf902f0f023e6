//! Statements of jobs behind poolers: that of the daemon, and one of their own.

use std::sync::Arc;

use belay_core::JobState;
use belay_core::ops::NewJob;
use belay_testkit::{TEST_URL_VARIABLE, eventually};
use belay_worker::executors::sql::{SqlExecutor, SqlSettings};
use belay_worker::{KindConfig, Worker, WorkerConfig};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::bouncer::Bouncer;
use crate::{Bench, Metrics, PATIENCE, actor};

/// Dropped after the database.
struct Role(String);

impl Drop for Role {
    fn drop(&mut self) {
        if let Ok(Ok(mut admin)) =
            std::env::var(TEST_URL_VARIABLE).map(|url| PgConnection::establish(&url))
        {
            let _ = admin.batch_execute(&format!("drop role if exists {}", self.0));
        }
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

fn number(bench: &Bench, sql: &str) -> i64 {
    let row: Count = diesel::sql_query(sql)
        .get_result(&mut bench.test.conn())
        .unwrap();
    row.n
}

#[test]
fn statements_take_effect_once_and_can_be_stopped() {
    let role = Role(format!("pooled_{}", std::process::id()));
    let bench = Bench::new();
    bench
        .test
        .conn()
        .batch_execute(&format!(
            "create role {0} login; grant belay_sql to {0}; create table public.effect (xid text);
             grant select, insert on public.effect to {0}",
            role.0
        ))
        .unwrap();
    let bouncer = Bouncer::before_as(&bench.test, &role.0);
    let kind = |name: &str, statement: &str| {
        let settings = SqlSettings::new(bouncer.url.clone(), statement);
        KindConfig::new(name, "sql", Arc::new(SqlExecutor::new(settings).unwrap()))
    };
    let insert = "insert into public.effect values (pg_current_xact_id()::text)";
    let config = WorkerConfig {
        kinds: vec![
            kind("quick", insert),
            kind(
                "long",
                "with made as (insert into public.effect values ('') returning 1) select pg_sleep(60) from made",
            ),
        ],
        listen: false,
        ..WorkerConfig::new("pooled")
    };
    let worker = Worker::start(bench.db.clone(), config, Metrics::new().unwrap()).unwrap();
    let long = bench.enqueue(&NewJob::new("long"));
    eventually(PATIENCE, || {
        (number(&bench, "select count(*) as n from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'") == 1)
            .then_some(())
    });
    let quick: Vec<i64> = (0..30)
        .map(|_| bench.enqueue(&NewJob::new("quick")))
        .collect();
    bench
        .db
        .tx(|conn| {
            belay_core::ops::cancel_one(
                conn,
                None,
                long,
                &actor(),
                None,
                belay_core::ops::CancelLimit::Any,
            )
        })
        .unwrap();
    for id in quick {
        let job = eventually(PATIENCE, || {
            let job = bench.job(id);
            job.state.is_terminal().then_some(job)
        });
        assert_eq!(
            (job.state, job.attempt),
            (JobState::Completed, 1),
            "{:?}",
            job.last_error
        );
    }
    let job = eventually(PATIENCE, || {
        let job = bench.job(long);
        job.state.is_terminal().then_some(job)
    });
    assert_eq!(job.state, JobState::Cancelled);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("term"));
    let once = number(
        &bench,
        "select count(*) as n from public.effect e join belay.job_done d on d.xmin::text::bigint = e.xid::bigint & 4294967295",
    );
    assert_eq!(
        (
            once,
            number(&bench, "select count(*) as n from public.effect")
        ),
        (30, 30)
    );
    worker.drain();
    assert!(worker.join_timeout(PATIENCE));
}
