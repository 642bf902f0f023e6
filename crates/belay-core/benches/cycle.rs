//! The whole life of no-op jobs through the operations of this crate, beside the same statements driven by pgbench.
//!
//! `cargo bench -p belay-core --bench cycle`. Prints jobs per second of both, their ratio, WAL per job and the HOT share.
//! Rounds alternate, because a machine drifts from minute to minute.

#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    reason = "a benchmark"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use belay_core::db::{DbConfig, Role};
use belay_core::ops::{self, Actor, Line, LineFloor, NewJob, Via};
use belay_core::{Db, Result};
use belay_testkit::bench::{Until, hot_share, pgbench, wal_bytes, worker};
use belay_testkit::{Profile, TestCluster};
use diesel::Connection;
use diesel::pg::PgConnection;

const BATCH: usize = 100;
const CLIENTS: u32 = 4;
const SECONDS: u32 = 5;
const ROUNDS: u32 = 3;

/// 200 bytes.
fn payload(n: usize) -> String {
    format!(
        r#"{{"to": "someone{n}@example.org", "subject": "A message about order {n}", "template": "order-confirmation",
"vars": {{"name": "Some One", "order": {n}, "total": "129.50"}}, "trace": "0af7651916cd43dd8448"}}"#
    )
}

fn main() {
    let cluster = TestCluster::with_profile(Profile::Bench);
    let url = cluster.migrated("cycle");
    let mut conn = PgConnection::establish(&url).expect("a connection");
    let floor_script = floor_script();
    let (mut ours, mut floors, mut wal) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let before = wal_bytes(&mut conn);
        let (jobs, rate) = through_the_operations(&url);
        wal.push((wal_bytes(&mut conn) - before) as f64 / jobs as f64);
        let floor = pgbench(
            cluster.bin_dir(),
            &url,
            &floor_script,
            CLIENTS,
            Until::Seconds(SECONDS),
            &[],
        )
        .tps * BATCH as f64;
        println!(
            "round {round}: operations {rate:.0} jobs/s, pgbench {floor:.0} jobs/s, ratio {:.2}",
            rate / floor
        );
        ours.push(rate);
        floors.push(floor);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    println!(
        "cycle of {BATCH} x {CLIENTS}: operations {:.0} jobs/s, pgbench {:.0} jobs/s, ratio {:.2} (goal 0.80); WAL {:.0} bytes/job (goal 1600); HOT {:.3} (goal 0.90)",
        mean(&ours),
        mean(&floors),
        mean(&ours) / mean(&floors),
        mean(&wal),
        hot_share(&mut conn),
    );
}

fn through_the_operations(url: &str) -> (u64, f64) {
    let db = Db::new(DbConfig::new(url)).expect("a pool");
    let (over, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| one_client(&db, &over, &done).expect("a round of operations"));
        }
        thread::sleep(Duration::from_secs(u64::from(SECONDS)));
        over.store(true, Relaxed);
    });
    let jobs = done.load(Relaxed);
    (jobs, jobs as f64 / began.elapsed().as_secs_f64())
}

fn one_client(db: &Db, over: &AtomicBool, done: &AtomicU64) -> Result<()> {
    let mut session = db.session(Role::Hot)?;
    let actor = Actor::new("bench", Via::Native);
    let worker = session.run(|conn| ops::register(conn, &worker("noop", 1)))?;
    let jobs: Vec<NewJob> = (0..BATCH)
        .map(|n| NewJob {
            payload: payload(n),
            ..NewJob::new("noop")
        })
        .collect();
    let line = Line {
        priority: 5,
        queue: "default".into(),
        kind: "noop".into(),
    };
    let mut floor = session.run(ops::last_ticket)? - 500;
    while !over.load(Relaxed) {
        session.run(|conn| ops::enqueue_many(conn, 1, &jobs, &actor))?;
        let claimed = session.run(|conn| {
            ops::claim(
                conn,
                worker,
                &[LineFloor {
                    line: line.clone(),
                    floor,
                }],
                BATCH as i32,
            )
        })?;
        if let Some(last) = claimed.last() {
            floor = floor.max(last.ticket - 500);
        }
        let mut held: Vec<(i64, i32)> = claimed.iter().map(|job| (job.id, job.fence)).collect();
        let finished = session.run(|conn| ops::complete(conn, worker, &held))?;
        done.fetch_add(finished.len() as u64, Relaxed);
        if finished.len() < held.len() {
            held.retain(|(id, _)| !finished.iter().any(|(other, _)| other == id));
            session.run(|conn| ops::unresolved(conn, worker, &held))?;
        }
    }
    Ok(())
}

/// The same statements, with the ids and fences carried in pgbench's variables.
fn floor_script() -> String {
    let claim = ops::CLAIM_SQL
        .replace("$1", ":worker::bigint")
        .replace("$2", "array['default']")
        .replace("$3", "array['noop']")
        .replace("$4", "array[5::smallint]")
        .replace("$5", "array[:floor::bigint]")
        .replace("$6", ":k::bigint");
    let complete = ops::COMPLETE_SQL
        .replace("$1", ":worker::bigint")
        .replace("$2", ":ids::bigint[]")
        .replace("$3", ":fences::integer[]");
    let payload = payload(1).replace('\'', "''");
    format!(
        "\\set k {BATCH}
\\set worker :client_id + 1
select coalesce(max(last_value), 0) - 500 as floor from belay.ticket \\gset
select count(*) as n from belay.op_enqueue_many(1, array_fill('noop'::text, array[:k::integer]), array_fill('{payload}'::jsonb, array[:k::integer]),
  array_fill(null::text, array[:k::integer]), array_fill(null::smallint, array[:k::integer]), array_fill(null::timestamptz, array[:k::integer]), array_fill(null::smallint, array[:k::integer]),
  array_fill(null::integer, array[:k::integer]), array_fill(null::integer, array[:k::integer]), array_fill(null::text, array[:k::integer]), 'bench', 'native') \\gset
with u as ({claim}) select coalesce(array_agg(id), '{{}}') as ids, coalesce(array_agg(fence), '{{}}') as fences, sum(length(payload)) as size from u \\gset
{complete};
"
    )
}
