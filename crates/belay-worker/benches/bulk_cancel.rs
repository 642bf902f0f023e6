//! `cancel_jobs` over a million queued jobs while two claimers go on with other work, beside the bare statements that cancel
//! by filter in chunks of the same size.
//!
//! `cargo bench -p belay-worker --bench bulk_cancel`. `BELAY_BULK_JOBS` sets the number of jobs (default 1,000,000);
//! `BELAY_BULK_SWEEP=1` compares sizes of steps instead, with a fifth of the jobs for each.

#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    reason = "a benchmark"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use belay_core::db::{DbConfig, Role};
use belay_core::ops::{
    self, Actor, BulkKind, CancelFilter, KindSpec, Line, LineFloor, NewJob, Via,
};
use belay_core::{Db, JobState};
use belay_metrics::Metrics;
use belay_testkit::bench::{percentile, wal_bytes, worker};
use belay_testkit::{Profile, TestCluster};
use belay_worker::executors::bulk::Bulk;
use belay_worker::{KindConfig, Worker, WorkerConfig};
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

const PAYLOAD: &str = r#"{"n": 1, "to": "somebody@example.org", "subject": "monthly statement of account", "template": "statement-v2", "locale": "en-GB", "ref": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "flags": 17}"#;

/// Jobs that the claimers have for themselves. When they run out, the claimers make more.
const OTHERS: i64 = 200_000;
const CLAIMERS: usize = 2;
const BATCH: i32 = 10;
const ROUNDS: u32 = 2;

/// What is measured.
#[derive(Clone, Copy)]
enum How {
    /// The executor, in a worker.
    Worker,
    /// The statements alone, on a plain connection.
    Bare,
}

#[derive(Default)]
struct Figures {
    rate: f64,
    claims: Vec<f64>,
    claimed_rate: f64,
}

fn main() {
    let jobs: i64 = std::env::var("BELAY_BULK_JOBS").map_or(1_000_000, |n| {
        n.parse().expect("BELAY_BULK_JOBS is a number")
    });
    let cluster = TestCluster::with_profile(Profile::Bench);
    if std::env::var_os("BELAY_BULK_SWEEP").is_some() {
        for chunk in [100, 250, 500, 1000, 2000, 5000] {
            let mut figures = round(
                &cluster.migrated(&format!("sweep{chunk}")),
                jobs / 5,
                chunk,
                How::Worker,
            );
            show(&format!("steps of {chunk}"), &mut figures);
        }
        return;
    }
    let chunk = 1000;
    // In turns, because the machine is not equally fast all the time.
    let (mut worker, mut bare) = (Figures::default(), Figures::default());
    for n in 1..=ROUNDS {
        for (how, name, sum) in [
            (How::Worker, "cancel_jobs", &mut worker),
            (How::Bare, "bare statements", &mut bare),
        ] {
            let database = format!(
                "{}{n}",
                if matches!(how, How::Worker) {
                    "worker"
                } else {
                    "bare"
                }
            );
            let mut figures = round(&cluster.migrated(&database), jobs, chunk, how);
            show(&format!("round {n}: {name}"), &mut figures);
            sum.rate += figures.rate / f64::from(ROUNDS);
            sum.claimed_rate += figures.claimed_rate / f64::from(ROUNDS);
            sum.claims.extend(figures.claims);
        }
    }
    show("cancel_jobs", &mut worker);
    show("bare statements", &mut bare);
    println!(
        "bulk cancel of {jobs}: {:.0} jobs/s (goal 15000), claim p99 {:.1} ms meanwhile (goal 30), ratio to the bare statements {:.2}",
        worker.rate,
        percentile(&mut worker.claims, 0.99),
        worker.rate / bare.rate
    );
}

fn show(what: &str, figures: &mut Figures) {
    println!(
        "{what}: {:.0} jobs/s cancelled; {CLAIMERS} claimers of {BATCH}: {:.0} jobs/s, claim p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms over {}",
        figures.rate,
        figures.claimed_rate,
        percentile(&mut figures.claims, 0.5),
        percentile(&mut figures.claims, 0.99),
        percentile(&mut figures.claims, 1.0),
        figures.claims.len(),
    );
}

fn round(url: &str, jobs: i64, chunk: i32, how: How) -> Figures {
    let mut conn = PgConnection::establish(url).expect("a connection");
    let db = Db::new(DbConfig::new(url)).expect("a pool");
    let others = KindSpec {
        name: "other".into(),
        executor: "bench".into(),
        queue: "other".into(),
        priority: 5,
        max_attempts: 5,
        timeout_s: None,
        ..KindSpec::new("", "")
    };
    ops::register_kinds(&mut conn, &[others]).expect("a kind");
    fill(&mut conn, "noop", jobs);
    fill(&mut conn, "other", OTHERS);
    for statement in ["vacuum analyze belay.job", "checkpoint"] {
        conn.batch_execute(statement).expect(statement);
    }
    let over = Arc::new(AtomicBool::new(false));
    let claimers: Vec<_> = (0..CLAIMERS)
        .map(|_| {
            let (db, over) = (db.clone(), Arc::clone(&over));
            thread::spawn(move || claim(&db, &over))
        })
        .collect();
    let (before, wal) = (resident(), wal_bytes(&mut conn));
    let began = Instant::now();
    match how {
        How::Worker => by_worker(&db, chunk),
        How::Bare => by_statements(&mut conn, chunk),
    }
    let seconds = began.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    let mut claims = Vec::new();
    let mut claimed = 0;
    for claimer in claimers {
        let (times, jobs) = claimer.join().expect("a claimer");
        claims.extend(times);
        claimed += jobs;
    }
    let cancelled = number(
        &mut conn,
        "select count(*) as n from belay.job_done where state = 'cancelled'",
    );
    assert_eq!(cancelled, jobs, "every job was cancelled once");
    println!(
        "  in {seconds:.1} s; resident memory of this process {before} kB before, {} kB after; WAL {:.0} bytes per job of either kind",
        resident(),
        (wal_bytes(&mut conn) - wal) as f64 / (jobs + claimed) as f64
    );
    Figures {
        rate: jobs as f64 / seconds,
        claims,
        claimed_rate: claimed as f64 / seconds,
    }
}

fn fill(conn: &mut PgConnection, kind: &str, jobs: i64) {
    let queue = if kind == "other" { "other" } else { "default" };
    conn.batch_execute(&format!(
        "select belay.ensure_line('{queue}', '{kind}', 5::smallint);
         insert into belay.job (ticket, tenant, state, priority, max_attempts, queue, kind, created_by, created_via, payload)
         select nextval('belay.ticket'), 1, 'queued', 5, 5, '{queue}', '{kind}', 'bench', 'native', '{PAYLOAD}' from generate_series(1, {jobs})"
    ))
    .expect("jobs");
}

fn by_worker(db: &Db, chunk: i32) {
    let executor = Bulk::new(db.clone(), BulkKind::Cancel).chunk(chunk);
    let config = WorkerConfig {
        kinds: vec![KindConfig::new(
            "cancel_jobs",
            "builtin",
            Arc::new(executor),
        )],
        ..WorkerConfig::new("bench")
    };
    let worker =
        Worker::start(db.clone(), config, Metrics::new().expect("metrics")).expect("a worker");
    let job = NewJob {
        payload: r#"{"kind": "noop", "state": "queued"}"#.into(),
        ..NewJob::new("cancel_jobs")
    };
    let actor = Actor::new("bench", Via::Native);
    let id = db
        .tx(|conn| ops::enqueue(conn, 1, &job, None, false, &actor))
        .expect("a bulk job")
        .id;
    let state = |id| {
        db.read(|conn| belay_core::query::get(conn, None, &belay_core::id::JobRef::number(id)))
            .expect("the bulk job")
            .state
    };
    while !state(id).is_terminal() {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(state(id), JobState::Completed);
    worker.stop_now();
    worker.join();
}

fn by_statements(conn: &mut PgConnection, chunk: i32) {
    let filter = CancelFilter {
        kind: Some("noop".into()),
        state: Some(JobState::Queued),
        queue: None,
    };
    let actor = Actor::new("bench", Via::Native);
    let last = ops::last_job_id(conn).expect("the last job");
    let mut after = 0;
    loop {
        let done = ops::cancel_chunk(conn, 1, &filter, after, last, chunk, &actor, Some("bench"))
            .expect("a chunk");
        after = done.after;
        if done.seen < chunk {
            return;
        }
    }
}

/// Claims and completes as a worker does, until it is over; answers how long each claim took, in milliseconds, and how many jobs
/// there were.
fn claim(db: &Db, over: &AtomicBool) -> (Vec<f64>, i64) {
    let mut session = db.session(Role::Hot).expect("a session");
    let worker = session
        .run(|conn| ops::register(conn, &worker("other", 1)))
        .expect("a worker");
    let mut line = LineFloor {
        line: Line {
            priority: 5,
            queue: "other".into(),
            kind: "other".into(),
        },
        floor: 0,
    };
    let actor = Actor::new("bench", Via::Native);
    let more = vec![NewJob::new("other"); 1000];
    let (mut times, mut jobs) = (Vec::new(), 0);
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let claimed = session
            .run(|conn| ops::claim(conn, worker, std::slice::from_ref(&line), BATCH))
            .expect("a claim");
        times.push(began.elapsed().as_secs_f64() * 1000.0);
        let Some(first) = claimed.first() else {
            session
                .tx(|conn| ops::enqueue_many(conn, 1, &more, &actor))
                .expect("more jobs");
            continue;
        };
        // The other claimer may be a little behind.
        line.floor = (first.ticket - 500).max(0);
        let keys: Vec<_> = claimed.iter().map(|job| (job.id, job.fence)).collect();
        let completed = session
            .run(|conn| ops::complete(conn, worker, &keys))
            .expect("a completion");
        jobs += i64::try_from(completed.len()).expect("small");
    }
    (times, jobs)
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn number(conn: &mut PgConnection, sql: &str) -> i64 {
    diesel::sql_query(sql)
        .get_result::<Number>(conn)
        .expect("a number")
        .n
}

/// Memory of this process, in kB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0)
}
