//! Remote workers over HTTP, on a server in this process. No-op jobs through 4 connections, claimed and reported in batches, beside the
//! same operations called without HTTP on 4 connections to the same cluster. Then how soon a cancel is told: with an event stream,
//! and by heartbeats alone.
//!
//! `cargo bench -p belay-api --bench remote`.

#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use actix_web::{App, HttpServer, rt};
use belay_api::AdminApi;
use belay_core::Db;
use belay_core::db::{DbConfig, Role};
use belay_core::ops::{self, Actor, Line, LineFloor, NewJob, NewKey, Via, remote};
use belay_testkit::bench::percentile;
use belay_testkit::{Profile, TestCluster};
use serde::Deserialize;
use serde_json::{Value, json};

const CONNECTIONS: usize = 4;
const JOBS: usize = 100_000;
const BATCH: usize = 500;
const CANCELS: usize = 300;
/// Seconds; a fifth of the lease is the time between two heartbeats.
const LEASE_S: u64 = 1;

fn main() {
    let cluster = TestCluster::with_profile(Profile::Bench);
    let url = cluster.migrated("remote");
    let db = Db::new(DbConfig::new(&url)).expect("a pool");
    let key = NewKey {
        name: "bench".into(),
        scopes: vec!["admin".into()],
        tenants: None,
        expires_at: None,
    };
    let actor = Actor::new("bench", Via::Native);
    let (_, key) = db
        .tx(|c| ops::create_key(c, &key, &actor))
        .expect("an API key");
    let server = Server {
        address: serve(&db),
        key,
    };
    // The first of each warms up, and is not counted.
    for round in 0..3 {
        let floor = bare(&server, &db);
        let one = over_http(&server, &db, 1);
        let four = over_http(&server, &db, CONNECTIONS);
        if round > 0 {
            println!(
                "{JOBS} no-op jobs over {CONNECTIONS} connections, {BATCH} at a time: {one:.0} jobs/s of one worker, {four:.0} of \
                 {CONNECTIONS} workers (goal 10000); without HTTP {floor:.0}"
            );
        }
    }
    cancels(&server);
}

/// Jobs a second over HTTP, with so many workers on the connections.
fn over_http(server: &Server, db: &Db, workers: usize) -> f64 {
    let ids: Vec<i64> = (0..workers).map(|_| server.register("work", 60)).collect();
    enqueue(db, JOBS);
    let done = AtomicUsize::new(0);
    let began = Instant::now();
    thread::scope(|scope| {
        for worker in ids.iter().cycle().take(CONNECTIONS) {
            let done = &done;
            scope.spawn(move || {
                let mut http = Http::new(server);
                while done.load(Ordering::Relaxed) < JOBS {
                    let body = format!("{{\"slots\":{BATCH},\"wait_s\":0.2}}");
                    let answer = http.post(&format!("/belay/v1/worker/{worker}/claim"), &body);
                    let claimed: Claimed = serde_json::from_slice(&answer).expect("jobs");
                    if claimed.jobs.is_empty() {
                        continue;
                    }
                    let results: Vec<String> = claimed
                        .jobs
                        .iter()
                        .map(|job| {
                            format!(
                                "{{\"id\":{},\"fence\":{},\"outcome\":\"completed\"}}",
                                job.id, job.fence
                            )
                        })
                        .collect();
                    let body = format!("{{\"results\":[{}]}}", results.join(","));
                    http.post(&format!("/belay/v1/worker/{worker}/finish"), &body);
                    done.fetch_add(claimed.jobs.len(), Ordering::Relaxed);
                }
            });
        }
    });
    JOBS as f64 / began.elapsed().as_secs_f64()
}

/// The same operations without HTTP.
fn bare(server: &Server, db: &Db) -> f64 {
    let worker = server.register("work", 60);
    // Nothing is left of this.
    let highest = AtomicI64::new(db.read(ops::last_ticket).expect("the last ticket"));
    enqueue(db, JOBS);
    let done = AtomicUsize::new(0);
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            let (done, highest) = (&done, &highest);
            scope.spawn(move || {
                let mut session = db.session(Role::Hot).expect("a connection");
                while done.load(Ordering::Relaxed) < JOBS {
                    let line = LineFloor {
                        line: Line {
                            priority: 5,
                            queue: "default".into(),
                            kind: "work".into(),
                        },
                        floor: highest.load(Ordering::Relaxed) - 500,
                    };
                    let lines = std::slice::from_ref(&line);
                    let batch = i32::try_from(BATCH).expect("a batch");
                    let jobs =
                        session.run(|conn| remote::claim(conn, worker, 0, None, lines, batch));
                    let Ok(jobs) = jobs else {
                        continue;
                    };
                    let Some(last) = jobs.iter().map(|job| job.ticket).max() else {
                        // What is left is held by the others.
                        thread::sleep(Duration::from_millis(1));
                        continue;
                    };
                    highest.fetch_max(last, Ordering::Relaxed);
                    let keys: Vec<_> = jobs.iter().map(|job| (job.id, job.fence)).collect();
                    session
                        .run(|conn| ops::complete(conn, worker, &keys))
                        .expect("completions");
                    done.fetch_add(jobs.len(), Ordering::Relaxed);
                }
            });
        }
    });
    JOBS as f64 / began.elapsed().as_secs_f64()
}

/// How soon a cancel is told, from before the request that cancels is sent.
fn cancels(server: &Server) {
    let mut http = Http::new(server);
    let (send, heard) = mpsc::channel();
    let listening = server.register("listening", 3600);
    let mut events = server.events(listening);
    thread::spawn(move || {
        let mut line = String::new();
        while events.read_line(&mut line).is_ok_and(|n| n > 0) {
            if line.starts_with("data: {\"id\"") && send.send(Instant::now()).is_err() {
                return;
            }
            line.clear();
        }
    });
    let mut times = Vec::new();
    for _ in 0..CANCELS {
        let job = http.running("listening", listening);
        let began = Instant::now();
        http.cancel(job.id);
        let told = heard
            .recv_timeout(Duration::from_secs(30))
            .expect("an event");
        times.push(told.saturating_duration_since(began).as_secs_f64() * 1e3);
        http.finish(listening, &job);
    }
    println!(
        "cancel told with events, {CANCELS} cancels: {} (goal p99 100 ms)",
        figures(&mut times)
    );

    let beat = Duration::from_secs(LEASE_S) / 5;
    let mut times = Vec::new();
    let worker = server.register("beating", LEASE_S);
    let path = format!("/belay/v1/worker/{worker}/beat");
    for round in 0..CANCELS / 6 {
        let job = http.running("beating", worker);
        let held = json!({"jobs": [{"id": job.id, "fence": job.fence}]}).to_string();
        let (canceller, id) = (server, job.id);
        // Somewhere between two heartbeats.
        let after = beat.mul_f64((round % 10) as f64 / 10.0);
        times.push(thread::scope(|scope| {
            let cancel = scope.spawn(move || {
                let mut http = Http::new(canceller);
                thread::sleep(after);
                let began = Instant::now();
                http.cancel(id);
                began
            });
            let mut next = Instant::now();
            let told = loop {
                next += beat;
                let answer = http.post(&path, &held);
                let answer: Value = serde_json::from_slice(&answer).expect("an answer");
                if answer["cancel"]
                    .as_array()
                    .is_some_and(|list| !list.is_empty())
                {
                    break Instant::now();
                }
                thread::sleep(next.saturating_duration_since(Instant::now()));
            };
            let began = cancel.join().expect("a cancel");
            told.saturating_duration_since(began).as_secs_f64() * 1e3
        }));
        http.finish(worker, &job);
    }
    println!(
        "cancel told by heartbeats every {} ms, {} cancels: {} (goal: within one beat)",
        beat.as_millis(),
        times.len(),
        figures(&mut times)
    );
}

fn figures(times: &mut [f64]) -> String {
    format!(
        "p50 {:.1} ms, p99 {:.1} ms",
        percentile(times, 0.50),
        percentile(times, 0.99)
    )
}

fn enqueue(db: &Db, count: usize) {
    let actor = Actor::new("bench", Via::Native);
    for _ in 0..count / 10_000 {
        let jobs = vec![NewJob::new("work"); 10_000];
        db.tx(|c| ops::enqueue_many(c, 1, &jobs, &actor))
            .expect("jobs");
    }
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

#[derive(Deserialize)]
struct Claimed {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    id: i64,
    fence: i32,
}

struct Server {
    address: SocketAddr,
    key: String,
}

impl Server {
    fn register(&self, kind: &str, lease_s: u64) -> i64 {
        let body = json!({"name": "bench", "kinds": [kind], "slots": 10_000, "lease_s": lease_s});
        let answer = Http::new(self).post("/belay/v1/worker/register", &body.to_string());
        let answer: Value = serde_json::from_slice(&answer).expect("an answer");
        answer["worker"].as_i64().expect("a worker")
    }

    fn events(&self, worker: i64) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        write!(
            stream,
            "GET /belay/v1/worker/{worker}/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\r\n",
            self.key
        )
        .expect("a request");
        BufReader::new(stream)
    }
}

/// A connection that stays.
struct Http<'a> {
    server: &'a Server,
    stream: BufReader<TcpStream>,
}

impl<'a> Http<'a> {
    fn new(server: &'a Server) -> Self {
        let stream = TcpStream::connect(server.address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self {
            server,
            stream: BufReader::new(stream),
        }
    }

    fn post(&mut self, path: &str, body: &str) -> Vec<u8> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.server.key,
            body.len()
        );
        self.stream
            .get_mut()
            .write_all(request.as_bytes())
            .expect("a request");
        let mut length = 0;
        let mut head = String::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("a head");
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            head.push_str(&line);
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).expect("a body");
        if !head.starts_with("HTTP/1.1 20") {
            panic!("{path}: {head}{}", String::from_utf8_lossy(&answer));
        }
        answer
    }

    /// A job of the kind that the worker holds.
    fn running(&mut self, kind: &str, worker: i64) -> Job {
        self.post("/belay/v1/jobs", &json!({"kind": kind}).to_string());
        let path = format!("/belay/v1/worker/{worker}/claim");
        let answer = self.post(&path, "{\"slots\":1,\"wait_s\":5}");
        let claimed: Claimed = serde_json::from_slice(&answer).expect("jobs");
        claimed.jobs.into_iter().next().expect("a job")
    }

    fn cancel(&mut self, id: i64) {
        self.post(&format!("/belay/v1/jobs/{id}/cancel"), "{}");
    }

    fn finish(&mut self, worker: i64, job: &Job) {
        let result = json!({"id": job.id, "fence": job.fence, "outcome": "cancelled"});
        let body = json!({"results": [result]}).to_string();
        self.post(&format!("/belay/v1/worker/{worker}/finish"), &body);
    }
}
