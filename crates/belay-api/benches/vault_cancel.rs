//! Cancel of 500 jobs in one request of the dialect `vault`, over HTTP, on a server in this process; beside moving 500 rows from
//! one bare table to another through the same client on the same cluster. Then two requests at once that overlap and name their
//! jobs in opposite orders.
//!
//! `cargo bench -p belay-api --bench vault_cancel`.

#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Instant;

use actix_web::{App, HttpServer, rt};
use belay_api::AdminApi;
use belay_core::Db;
use belay_core::db::DbConfig;
use belay_core::ops::{self, Actor, NewJob, NewKey, Via};
use belay_testkit::bench::percentile;
use belay_testkit::{Profile, TestCluster};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt};
use serde_json::{Value, json};

const JOBS: usize = 500;
const REQUESTS: usize = 200;
const ROUNDS: usize = 1_000;

fn main() {
    let cluster = TestCluster::with_profile(Profile::Bench);
    let url = cluster.migrated("vault_cancel");
    let db = Db::new(DbConfig::new(&url)).expect("a pool");
    let actor = Actor::new("bench", Via::Native);
    let key = NewKey {
        name: "bench".into(),
        scopes: vec!["vault:write".into()],
        tenants: None,
        expires_at: None,
    };
    let (_, key) = db
        .tx(|c| ops::create_key(c, &key, &actor))
        .expect("an API key");
    let client = Client {
        address: serve(&db),
        key,
    };

    let mut conn = PgConnection::establish(&url).expect("a connection");
    conn.batch_execute(
        "create table bare (id bigint primary key, payload jsonb not null);
         create table bare_done (id bigint primary key, payload jsonb not null);",
    )
    .expect("the bare tables");
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..REQUESTS {
        let ids = queued(&db, JOBS);
        let began = Instant::now();
        let answers = client.cancel(&ids);
        ours.push(began.elapsed().as_secs_f64() * 1e3);
        assert_eq!(accepted(&answers), JOBS);
        floor.push(move_bare(&mut conn, &ids));
    }
    println!(
        "cancel of {JOBS} in one request, {REQUESTS} requests: {} (goal p95 60 ms); {JOBS} bare rows moved: {}",
        figures(&mut ours),
        figures(&mut floor)
    );

    let before = deadlocks(&mut conn);
    let mut each = Vec::new();
    for _ in 0..ROUNDS {
        let ids = queued(&db, JOBS * 3 / 2);
        let (first, rest) = ids.split_at(JOBS);
        let second: Vec<i64> = rest
            .iter()
            .rev()
            .chain(first.iter().rev())
            .take(JOBS)
            .copied()
            .collect();
        let start = Barrier::new(2);
        let mut total = 0;
        thread::scope(|scope| {
            let threads = [first, &second].map(|ids| {
                let (client, start) = (&client, &start);
                scope.spawn(move || {
                    start.wait();
                    let began = Instant::now();
                    let answers = client.cancel(ids);
                    (began.elapsed().as_secs_f64() * 1e3, accepted(&answers))
                })
            });
            for thread in threads {
                let (time, accepted) = thread.join().expect("a client");
                each.push(time);
                total += accepted;
            }
        });
        // Each job was accepted once, in one of the two requests.
        assert_eq!(total, ids.len());
    }
    println!(
        "two requests of {JOBS} at once, half of the jobs in both, in opposite orders, {ROUNDS} rounds: {}, {} deadlocks (goal 0)",
        figures(&mut each),
        deadlocks(&mut conn) - before
    );
}

fn figures(times: &mut [f64]) -> String {
    format!(
        "p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms",
        percentile(times, 0.50),
        percentile(times, 0.95),
        percentile(times, 0.99)
    )
}

/// Starts a server that goes with the process.
fn serve(db: &Db) -> SocketAddr {
    let api = AdminApi::builder(db.clone()).build().expect("the API");
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        rt::System::new().block_on(async move {
            let server = HttpServer::new(move || App::new().configure(|c| api.configure(c)))
                .workers(2)
                .disable_signals()
                .bind(("127.0.0.1", 0))
                .expect("a port");
            let address = server.addrs().first().copied().expect("an address");
            send.send(address).expect("somebody who waits for it");
            server.run().await.expect("a server");
        });
    });
    receive.recv().expect("the address")
}

struct Client {
    address: SocketAddr,
    key: String,
}

impl Client {
    /// Cancels jobs over a connection of its own, and answers what was answered for each.
    fn cancel(&self, ids: &[i64]) -> Vec<Value> {
        let entries: Vec<Value> = ids.iter().map(|id| json!({"job_id": id})).collect();
        let body = json!(entries).to_string();
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        write!(
            stream,
            "POST /api/v26.1/services/jobs/actions/cancel HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nAuthorization: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let mut body: Value = serde_json::from_str(body).expect("JSON");
        match body.get_mut("data").map(Value::take) {
            Some(Value::Array(answers)) => answers,
            _ => panic!("the request failed: {answer}"),
        }
    }
}

fn accepted(answers: &[Value]) -> usize {
    answers
        .iter()
        .filter(|answer| answer["responseStatus"] == "SUCCESS")
        .count()
}

fn queued(db: &Db, count: usize) -> Vec<i64> {
    let jobs = vec![NewJob::new("noop"); count];
    let actor = Actor::new("bench", Via::Native);
    let made = db
        .tx(|c| ops::enqueue_many(c, 1, &jobs, &actor))
        .expect("jobs");
    made.into_iter().map(|job| job.id).collect()
}

/// Moves rows from one bare table to another, in milliseconds.
fn move_bare(conn: &mut PgConnection, ids: &[i64]) -> f64 {
    diesel::sql_query("insert into bare select u, '{}' from unnest($1) u")
        .bind::<Array<BigInt>, _>(ids)
        .execute(conn)
        .expect("bare rows");
    let began = Instant::now();
    diesel::sql_query(
        "with d as (delete from bare where id = any ($1) returning *) insert into bare_done select * from d",
    )
    .bind::<Array<BigInt>, _>(ids)
    .execute(conn)
    .expect("a move");
    began.elapsed().as_secs_f64() * 1e3
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Deadlocks that this cluster has met so far.
fn deadlocks(conn: &mut PgConnection) -> i64 {
    // Backends tell of a deadlock when they next are idle for a while, or when they end.
    diesel::sql_query("select pg_stat_force_next_flush()")
        .execute(conn)
        .expect("flushing statistics");
    diesel::sql_query("select coalesce(sum(deadlocks), 0)::bigint as n from pg_stat_database")
        .get_result::<Count>(conn)
        .expect("statistics")
        .n
}
