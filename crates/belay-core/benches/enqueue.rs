//! Enqueue, one job per transaction over 8 connections, beside a bare one-row INSERT driven by pgbench on the same cluster.
//! A worker is registered as asleep in half of the rounds, so that the notification is paid for.
//!
//! `cargo bench -p belay-core --bench enqueue`.

#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    reason = "a benchmark"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use belay_core::Db;
use belay_core::db::{DbConfig, Role};
use belay_core::ops::{self, Actor, NewJob, NewWorker, Via};
use belay_testkit::bench::{Until, pgbench};
use belay_testkit::{Profile, TestCluster};
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::{Connection, RunQueryDsl};

const CLIENTS: u32 = 8;
const SECONDS: u32 = 4;
const ROUNDS: u32 = 3;

const BARE: &str = "insert into bare (tenant, kind, payload) values (1, 'noop', '{\"to\": \"someone@example.org\", \"order\": 1, \"template\": \"order-confirmation\", \"padding\": \"0af7651916cd43dd8448eb211c80319c0af7651916cd43dd8448eb211c80319c\"}');\n";
const PAYLOAD: &str = r#"{"to": "someone@example.org", "order": 1, "template": "order-confirmation", "padding": "0af7651916cd43dd8448eb211c80319c0af7651916cd43dd8448eb211c80319c"}"#;
const FUNCTION: &str = "select id from belay.op_enqueue(1, 'noop', '{\"to\": \"someone@example.org\", \"order\": 1, \"template\": \"order-confirmation\", \"padding\": \"0af7651916cd43dd8448eb211c80319c0af7651916cd43dd8448eb211c80319c\"}', null, null, null, null, null, null, null, false, 'bench', 'native');\n";

fn main() {
    let cluster = TestCluster::with_profile(Profile::Bench);
    let url = cluster.migrated("enqueue");
    let mut conn = PgConnection::establish(&url).expect("a connection");
    conn.batch_execute(
        "create table bare (id bigint generated always as identity primary key, tenant integer not null, kind text not null,
           created_at timestamptz not null default now(), payload jsonb not null)",
    )
    .expect("the bare table");
    let worker = NewWorker {
        name: "bench".into(),
        host: "here".into(),
        pid: 1,
        version: "0".into(),
        queues: None,
        kinds: vec!["noop".into()],
        slots: 1,
        lease: Duration::from_secs(3600),
    };
    let worker = ops::register(&mut conn, &worker).expect("a worker");
    for asleep in [false, true] {
        if asleep {
            ops::sleep(&mut conn, worker).expect("asleep");
        }
        let (mut ours, mut floors, mut functions) = (0.0, 0.0, 0.0);
        for _ in 0..ROUNDS {
            ours += through_the_operation(&url);
            floors += pgbench(
                cluster.bin_dir(),
                &url,
                BARE,
                CLIENTS,
                Until::Seconds(SECONDS),
                &[],
            )
            .tps;
            functions += pgbench(
                cluster.bin_dir(),
                &url,
                FUNCTION,
                CLIENTS,
                Until::Seconds(SECONDS),
                &[],
            )
            .tps;
            diesel::sql_query("truncate belay.job, bare")
                .execute(&mut conn)
                .expect("truncate");
        }
        let rounds = f64::from(ROUNDS);
        println!(
            "enqueue, {CLIENTS} connections, {}: operation {:.0}/s, function by pgbench {:.0}/s, bare insert by pgbench {:.0}/s; ratio operation/bare {:.2} (goal 0.70), function/bare {:.2}",
            if asleep {
                "a worker asleep (each commit notifies)"
            } else {
                "nobody asleep"
            },
            ours / rounds,
            functions / rounds,
            floors / rounds,
            ours / floors,
            functions / floors,
        );
    }
}

fn through_the_operation(url: &str) -> f64 {
    let db = Db::new(DbConfig::new(url)).expect("a pool");
    let (over, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let (db, over, done) = (&db, &over, &done);
            scope.spawn(move || {
                let mut session = db.session(Role::Hot).expect("a session");
                let actor = Actor::new("bench", Via::Native);
                let job = NewJob {
                    payload: PAYLOAD.into(),
                    ..NewJob::new("noop")
                };
                while !over.load(Relaxed) {
                    session
                        .run(|conn| ops::enqueue(conn, 1, &job, None, false, &actor))
                        .expect("an enqueue");
                    done.fetch_add(1, Relaxed);
                }
            });
        }
        thread::sleep(Duration::from_secs(u64::from(SECONDS)));
        over.store(true, Relaxed);
    });
    done.load(Relaxed) as f64 / began.elapsed().as_secs_f64()
}
