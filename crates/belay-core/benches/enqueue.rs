//! Enqueue, one job per transaction over 8 connections, beside bare one-row INSERTs through the same client on the same cluster:
//! of the same row into a table with a primary key and nothing else, and of a small row of five columns.
//! Jobs of another tenant than the first are measured beside them: they look for their tenant.
//! In the second half a worker is registered as asleep, so that notifications are paid for.
//!
//! `cargo bench -p belay-core --bench enqueue`.

#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use belay_core::Db;
use belay_core::db::{DbConfig, Role};
use belay_core::ops::{self, Actor, NewJob, Via};
use belay_testkit::bench::worker;
use belay_testkit::{Profile, TestCluster};
use chrono::Utc;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

const CLIENTS: u32 = 8;
const SECONDS: u64 = 1;
const ROUNDS: u32 = 15;
/// Number of the tenant that is made here.
const OTHER_TENANT: i32 = 2;
const PAYLOAD: &str = r#"{"to": "someone@example.org", "order": 1, "template": "order-confirmation", "padding": "0af7651916cd43dd8448eb211c80319c0af7651916cd43dd8448eb211c80319c"}"#;

diesel::table! {
    small (id) {
        id -> BigInt,
        tenant -> Integer,
        kind -> Text,
        payload -> Jsonb,
    }
}

diesel::table! {
    same (id) {
        id -> BigInt,
        ticket -> BigInt,
        run_at -> Timestamptz,
        tenant -> Integer,
        state -> Text,
        priority -> SmallInt,
        max_attempts -> SmallInt,
        queue -> Text,
        kind -> Text,
        created_by -> Text,
        created_via -> Text,
        payload -> Jsonb,
    }
}

fn main() {
    let cluster = TestCluster::with_profile(Profile::Bench);
    let url = cluster.migrated("enqueue");
    let mut conn = PgConnection::establish(&url).expect("a connection");
    conn.batch_execute(
        "create table small (id bigint generated always as identity primary key, tenant integer not null, kind text not null,
           created_at timestamptz not null default now(), payload jsonb not null);
         create table same (like belay.job including defaults including identity);
         alter table same add primary key (id), alter column state type text;",
    )
    .expect("the bare tables");
    let worker = ops::register(&mut conn, &worker("noop", 1)).expect("a worker");
    let db = Db::new(DbConfig::new(&url)).expect("a pool");
    // As daemons do every few seconds.
    enqueue(&mut conn);
    assert_eq!(ops::note_lines(&mut conn).expect("the line"), 1);
    let (other, _) = ops::create_tenant(&mut conn, "other").expect("a tenant");
    assert_eq!(other, OTHER_TENANT);
    for asleep in [false, true] {
        if asleep {
            ops::sleep(&mut conn, worker).expect("asleep");
        }
        let (mut ours, mut others, mut same_row, mut small_row) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..ROUNDS {
            ours += rate(&db, enqueue);
            others += rate(&db, enqueue_elsewhere);
            same_row += rate(&db, insert_same);
            small_row += rate(&db, insert_small);
            diesel::sql_query("truncate belay.job, same, small")
                .execute(&mut conn)
                .expect("truncate");
        }
        let rounds = f64::from(ROUNDS);
        println!(
            "enqueue, {CLIENTS} connections, {}: {:.0}/s; bare INSERT of the same row {:.0}/s, ratio {:.2} (goal 0.70), for another tenant {:.2}; of a small row {:.0}/s, ratio {:.2}",
            if asleep {
                "a worker asleep"
            } else {
                "nobody asleep"
            },
            ours / rounds,
            same_row / rounds,
            ours / same_row,
            others / same_row,
            small_row / rounds,
            ours / small_row,
        );
    }
}

fn rate(db: &Db, one: fn(&mut PgConnection)) -> f64 {
    let (over, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut session = db.session(Role::Hot).expect("a session");
                while !over.load(Relaxed) {
                    one(session.raw());
                    done.fetch_add(1, Relaxed);
                }
            });
        }
        thread::sleep(Duration::from_secs(SECONDS));
        over.store(true, Relaxed);
    });
    done.load(Relaxed) as f64 / began.elapsed().as_secs_f64()
}

fn enqueue(conn: &mut PgConnection) {
    enqueue_for(conn, ops::DEFAULT_TENANT);
}

fn enqueue_elsewhere(conn: &mut PgConnection) {
    enqueue_for(conn, OTHER_TENANT);
}

fn enqueue_for(conn: &mut PgConnection, tenant: i32) {
    let job = NewJob {
        payload: PAYLOAD.into(),
        ..NewJob::new("noop")
    };
    ops::enqueue(
        conn,
        tenant,
        &job,
        None,
        false,
        &Actor::new("bench", Via::Native),
    )
    .expect("an enqueue");
}

fn payload() -> serde_json::Value {
    serde_json::from_str(PAYLOAD).expect("JSON")
}

fn insert_same(conn: &mut PgConnection) {
    diesel::insert_into(same::table)
        .values((
            (
                same::ticket.eq(1),
                same::run_at.eq(Utc::now()),
                same::tenant.eq(1),
                same::state.eq("queued"),
                same::priority.eq(5),
            ),
            (
                same::max_attempts.eq(5),
                same::queue.eq("default"),
                same::kind.eq("noop"),
                same::created_by.eq("bench"),
            ),
            (same::created_via.eq("native"), same::payload.eq(payload())),
        ))
        .returning(same::id)
        .get_result::<i64>(conn)
        .expect("a row");
}

fn insert_small(conn: &mut PgConnection) {
    diesel::insert_into(small::table)
        .values((
            small::tenant.eq(1),
            small::kind.eq("noop"),
            small::payload.eq(payload()),
        ))
        .returning(small::id)
        .get_result::<i64>(conn)
        .expect("a row");
}
