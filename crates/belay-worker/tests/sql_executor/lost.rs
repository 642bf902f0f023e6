//! Commits whose answer is lost.

use std::time::Duration;

use belay_core::db::DbConfig;
use belay_core::id::JobRef;
use belay_core::ops::{self, NewJob};
use belay_core::{Db, JobState, query};
use belay_metrics::Metrics;
use belay_testkit::{TestCluster, eventually};
use belay_worker::Worker;
use belay_worker::executors::sql::SqlSettings;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::support::{Bench, EFFECT, KIND, PATIENCE, TABLE, actor, as_role, end, number};

/// A cluster in which commits of the role `app` wait for a standby that does not exist. Whoever ends such a session ends one that has
/// committed and can tell nobody.
fn cluster() -> (TestCluster, String, String) {
    let cluster = TestCluster::start();
    let (url, others) = (cluster.migrated("jobs"), cluster.migrated("others"));
    let mut conn = PgConnection::establish(&url).unwrap();
    conn.batch_execute(&format!(
        "create role app login; grant belay_sql to app; {TABLE}; grant all on public.effect to app;
         alter database jobs set synchronous_commit = local; alter database others set synchronous_commit = local;
         alter role app set synchronous_commit = on"
    ))
    .unwrap();
    conn.batch_execute("alter system set synchronous_standby_names = 'nobody'")
        .unwrap();
    conn.batch_execute("select pg_reload_conf()").unwrap();
    (cluster, url, others)
}

/// Where the statement runs, and where the jobs are.
fn lose_an_answer(statements: &str, jobs: &str) {
    let db = Db::new(DbConfig::new(jobs)).unwrap();
    let mut settings = SqlSettings::new(as_role(statements, "app"), EFFECT);
    settings.params = vec!["value".into()];
    let metrics = Metrics::new().unwrap();
    let worker = Worker::start(db.clone(), Bench::config(settings), metrics.clone()).unwrap();
    let job = NewJob {
        payload: r#"{"value": "x"}"#.into(),
        ..NewJob::new(KIND)
    };
    let id = db
        .tx(|conn| ops::enqueue(conn, 1, &job, None, false, &actor()))
        .unwrap()
        .id;
    let mut admin = PgConnection::establish(statements).unwrap();
    eventually(PATIENCE, || {
        (number(
            &mut admin,
            "select count(pg_terminate_backend(pid)) as n from pg_stat_activity where usename = 'app' and wait_event = 'SyncRep'",
        ) == 1)
            .then_some(())
    });
    let ended = eventually(PATIENCE, || {
        let job = db
            .read(|conn| query::get(conn, None, &JobRef::number(id)))
            .unwrap();
        job.state.is_terminal().then_some(job)
    });
    // If it were tried again, that would wait for the standby, too.
    std::thread::sleep(Duration::from_millis(100));
    end(&worker);
    assert_eq!(
        (ended.state, ended.attempt),
        (JobState::Completed, 1),
        "{:?}",
        ended.last_error
    );
    let metrics = metrics.render(None).unwrap();
    assert!(
        metrics.contains("\nbelay_stale_reports_total 0\n"),
        "it was reported once more: {metrics}"
    );
    assert_eq!(
        number(&mut admin, "select count(*) as n from public.effect"),
        1
    );
}

#[test]
fn a_commit_that_happened_is_found_out_and_counts_once() {
    let (_cluster, url, _) = cluster();
    lose_an_answer(&url, &url);
}

#[test]
fn a_commit_that_happened_in_another_database_is_found_out() {
    let (_cluster, url, others) = cluster();
    lose_an_answer(&url, &others);
}
