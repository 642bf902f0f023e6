//! The test databases themselves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use belay_testkit::{TestCluster, TestDb, eventually};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

fn has_schema(conn: &mut PgConnection) -> bool {
    diesel::select(diesel::dsl::sql::<Bool>(
        "to_regclass('belay.job') IS NOT NULL",
    ))
    .get_result(conn)
    .unwrap()
}

fn database_exists(conn: &mut PgConnection, name: &str) -> bool {
    let count: i64 = diesel::select(
        diesel::dsl::sql::<BigInt>("(SELECT count(*) FROM pg_database WHERE datname = ")
            .bind::<Text, _>(name)
            .sql(")"),
    )
    .get_result(conn)
    .unwrap();
    count == 1
}

#[test]
fn each_test_gets_its_own_migrated_database_and_leaves_none() {
    let one = TestDb::new();
    let two = TestDb::new();
    assert_ne!(one.name(), two.name());
    let mut conn = one.conn();
    assert!(has_schema(&mut conn));
    conn.batch_execute("CREATE TABLE public.only_here (x int)")
        .unwrap();
    assert!(
        two.conn()
            .batch_execute("SELECT * FROM public.only_here")
            .is_err()
    );
    let name = one.name().to_owned();
    assert!(database_exists(&mut two.conn(), &name));
    // A connection that is still open is no obstacle.
    drop(one);
    assert!(!database_exists(&mut two.conn(), &name));
    assert!(conn.batch_execute("SELECT 1").is_err());
}

#[test]
fn an_unmigrated_database_has_no_schema() {
    assert!(!has_schema(&mut TestDb::unmigrated().conn()));
}

#[test]
fn databases_can_be_made_at_the_same_time() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(has_schema(&mut TestDb::new().conn())));
        }
    });
}

#[test]
fn committed_rows_survive_the_crash_of_a_test_cluster() {
    let cluster = TestCluster::start();
    let url = cluster.migrated("belay");
    let mut conn = PgConnection::establish(&url).unwrap();
    assert!(has_schema(&mut conn));
    conn.batch_execute("CREATE TABLE public.t AS SELECT 1 AS x")
        .unwrap();
    cluster.kill9().unwrap();
    // The server's processes notice the end of their master by themselves, a moment later.
    eventually(Duration::from_secs(30), || {
        conn.batch_execute("SELECT 1").err()
    });
    assert!(PgConnection::establish(&url).is_err());
    cluster.restart().unwrap();
    let mut conn = PgConnection::establish(&url).unwrap();
    conn.batch_execute("SELECT x FROM public.t").unwrap();
}
