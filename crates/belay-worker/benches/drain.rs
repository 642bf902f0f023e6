//! The drain of queued no-op jobs by a worker, beside the drain of the same number by bare SQL under pgbench.
//!
//! The floor is the hot-claim design alone (`drain_floor.sql`): a job table, a table of finished jobs, one claim and one
//! completion of 500, without states to guard, events, output or lines. A second floor drives the worker's own statements.
//!
//! `cargo bench -p belay-worker --bench drain`. `BELAY_DRAIN_JOBS` sets the number of jobs (default 300,000).

#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    reason = "a benchmark"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use belay_core::db::DbConfig;
use belay_core::{Db, ops};
use belay_metrics::Metrics;
use belay_testkit::bench::{Until, hot_share, pgbench, wal_bytes};
use belay_testkit::{Profile, TestCluster};
use belay_worker::{Worker, WorkerConfig, builtin_kinds};
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

const BATCH: u64 = 500;
const ROUNDS: u32 = 3;
const PAYLOAD: &str = r#"{"n": 1, "to": "somebody@example.org", "subject": "monthly statement of account", "template": "statement-v2", "locale": "en-GB", "ref": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "flags": 17}"#;

fn main() {
    let jobs: u64 = std::env::var("BELAY_DRAIN_JOBS").map_or(300_000, |n| {
        n.parse().expect("BELAY_DRAIN_JOBS is a number")
    });
    let cluster = TestCluster::with_profile(Profile::Bench);
    let (mut ours, mut study, mut own) = (0.0, 0.0, 0.0);
    for round in 1..=ROUNDS {
        let worker = by_worker(&cluster.migrated(&format!("worker{round}")), jobs);
        cluster
            .ensure_database(&format!("study{round}"))
            .expect("a database");
        let floor = by_study(
            cluster.bin_dir(),
            &cluster.url(&format!("study{round}")),
            jobs,
        );
        let statements = by_own_statements(
            cluster.bin_dir(),
            &cluster.migrated(&format!("own{round}")),
            jobs,
        );
        println!(
            "round {round}: worker {worker:.0} jobs/s, hot-claim SQL {floor:.0}, own statements by pgbench {statements:.0}"
        );
        ours += worker;
        study += floor;
        own += statements;
    }
    println!(
        "drain of {jobs}: worker {:.0} jobs/s, hot-claim SQL {:.0} jobs/s, ratio {:.2} (goal 0.70); own statements by pgbench {:.0} jobs/s, ratio {:.2}",
        ours / f64::from(ROUNDS),
        study / f64::from(ROUNDS),
        ours / study,
        own / f64::from(ROUNDS),
        ours / own,
    );
}

fn fill(conn: &mut PgConnection, jobs: u64) {
    let sql = format!(
        "do $$ begin
           for i in 1..{} loop
             perform belay.op_enqueue_many(1, array_fill('noop'::text, array[5000]), array_fill('{PAYLOAD}'::jsonb, array[5000]),
               array_fill(null::text, array[5000]), array_fill(null::smallint, array[5000]), array_fill(null::timestamptz, array[5000]),
               array_fill(null::smallint, array[5000]), array_fill(null::integer, array[5000]), array_fill(null::integer, array[5000]), array_fill(null::text, array[5000]), 'bench', 'native');
           end loop;
         end $$",
        jobs / 5000
    );
    conn.batch_execute(&sql).expect("jobs");
    settle(conn, "belay.job");
}

fn settle(conn: &mut PgConnection, table: &str) {
    conn.batch_execute(&format!("vacuum analyze {table}"))
        .expect("a vacuum");
    conn.batch_execute("checkpoint").expect("a checkpoint");
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn count(conn: &mut PgConnection, table: &str) -> i64 {
    diesel::sql_query(format!("select count(*) as n from {table}"))
        .get_result::<Count>(conn)
        .expect("a count")
        .n
}

fn by_worker(url: &str, jobs: u64) -> f64 {
    let mut conn = PgConnection::establish(url).expect("a connection");
    fill(&mut conn, jobs);
    let before = wal_bytes(&mut conn);
    let config = WorkerConfig {
        kinds: builtin_kinds(),
        ..WorkerConfig::new("bench")
    };
    let began = Instant::now();
    let worker = Worker::start(
        Db::new(DbConfig::new(url)).expect("a pool"),
        config,
        Metrics::new().expect("metrics"),
    )
    .expect("a worker");
    // The clock stops when the database shows nothing left; an index-only probe each 2 ms costs next to nothing.
    while ops::last_job_id(&mut conn).expect("a probe") > 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
    let seconds = began.elapsed().as_secs_f64();
    worker.stop_now();
    worker.join();
    assert_eq!(
        count(&mut conn, "belay.job_done where state = 'completed'"),
        i64::try_from(jobs).expect("small"),
        "every job completed once"
    );
    println!(
        "  worker: WAL {:.0} bytes/job, HOT {:.3}",
        (wal_bytes(&mut conn) - before) as f64 / jobs as f64,
        hot_share(&mut conn)
    );
    jobs as f64 / seconds
}

fn by_study(bin_dir: &Path, url: &str, jobs: u64) -> f64 {
    let mut conn = PgConnection::establish(url).expect("a connection");
    conn.batch_execute(include_str!("drain_floor.sql"))
        .expect("the floor's tables");
    conn.batch_execute(&format!("insert into floor.job (tenant, kind, payload) select 1, 'noop', '{PAYLOAD}' from generate_series(1, {jobs})"))
        .expect("jobs");
    settle(&mut conn, "floor.job");
    let script = format!(
        "\\set k {BATCH}\n\\set w :client_id + 1\n{}",
        include_str!("drain_floor.pgbench")
    );
    run(
        bin_dir,
        url,
        &script,
        jobs,
        |conn| count(conn, "floor.job"),
        &mut conn,
    )
}

fn by_own_statements(bin_dir: &Path, url: &str, jobs: u64) -> f64 {
    let mut conn = PgConnection::establish(url).expect("a connection");
    fill(&mut conn, jobs);
    conn.batch_execute(
        "insert into belay.worker (name, host, pid, version, kinds, slots, lease_ms) select 'w', 'h', 1, '0', '{noop}', 1, 600000 from generate_series(1, 2)",
    )
    .expect("workers");
    let claim = ops::CLAIM_SQL
        .replace("$1", ":w::bigint")
        .replace("$2", "array['default']")
        .replace("$3", "array['noop']")
        .replace("$4", "array[5::smallint]")
        .replace("$5", "array[:floor::bigint]")
        .replace("$6", ":k::bigint");
    let complete = ops::COMPLETE_SQL
        .replace("$1", ":w::bigint")
        .replace("$2", ":ids::bigint[]")
        .replace("$3", ":fences::integer[]");
    let script = format!(
        "\\set k {BATCH}\n\\set w :client_id + 1
with u as ({claim}) select coalesce(array_agg(id), '{{}}') as ids, coalesce(array_agg(fence), '{{}}') as fences, coalesce(max(ticket), 0) - 500 as floor, sum(length(payload)) as size from u \\gset
{complete};\n"
    );
    run(
        bin_dir,
        url,
        &script,
        jobs,
        |conn| count(conn, "belay.job"),
        &mut conn,
    )
}

/// Runs exactly as many transactions as it takes and answers the rate over what was really drained.
fn run(
    bin_dir: &Path,
    url: &str,
    script: &str,
    jobs: u64,
    left: impl Fn(&mut PgConnection) -> i64,
    conn: &mut PgConnection,
) -> f64 {
    let transactions = jobs / (BATCH * 2);
    let tps = pgbench(
        bin_dir,
        url,
        script,
        2,
        Until::Transactions(transactions),
        &[("floor", "0")],
    )
    .tps;
    let drained = jobs as f64 - left(conn) as f64;
    tps * drained / (transactions * 2) as f64
}
