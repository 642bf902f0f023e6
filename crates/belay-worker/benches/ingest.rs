//! Loading uploaded CSV into a declared table, beside COPY and INSERT .. ON CONFLICT by bare SQL in the same run.
//!
//! The floor copies the whole file into a staging table of texts in one statement and brings it to its place in another, in one
//! transaction: no chunks, no line numbers, no way to stop it, no report. Both load a million rows into an empty table, and then once
//! more over the same rows.
//!
//! `cargo bench -p belay-worker --bench ingest`. `BELAY_INGEST_ROWS` sets the number of rows.

#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark"
)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use belay_core::db::DbConfig;
use belay_core::id::JobRef;
use belay_core::ops::{self, Actor, Begun, NewJob, Via};
use belay_core::{Db, JobState, query};
use belay_metrics::Metrics;
use belay_testkit::{Profile, TestCluster};
use belay_worker::executors::ingest::{IngestObject, IngestObjects};
use belay_worker::{Worker, WorkerConfig, database_kinds};
use diesel::connection::SimpleConnection;
use diesel::pg::{CopyFormat, CopyHeader, CopyTarget, Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::AstPass;

const ROUNDS: u32 = 3;
const CHUNK: usize = 1 << 20;
const COLUMNS: [&str; 5] = ["id", "name", "email", "born", "score"];
const TABLE: &str = "create table public.person (id integer primary key, name text, email text, born date, score numeric)";
const PLACE: &str = "insert into public.person (id, name, email, born, score)
    select c1::integer, c2::text, c3::text, c4::date, c5::numeric from pg_temp.staging
    on conflict (id) do update set name = excluded.name, email = excluded.email, born = excluded.born, score = excluded.score";

fn main() {
    let rows: u32 = std::env::var("BELAY_INGEST_ROWS").map_or(1_000_000, |n| {
        n.parse().expect("BELAY_INGEST_ROWS is a number")
    });
    let file = file(rows);
    println!(
        "{rows} rows of {} columns, {:.0} MB",
        COLUMNS.len(),
        file.len() as f64 / 1e6
    );
    let cluster = TestCluster::with_profile(Profile::Bench);
    let (mut ours, mut floor) = ([0.0; 2], [0.0; 2]);
    for round in 1..=ROUNDS {
        let mine = by_job(&cluster.migrated(&format!("job{round}")), &file, rows);
        let bare = by_sql(&cluster.migrated(&format!("sql{round}")), &file, rows);
        for (way, name) in ["insert", "update"].into_iter().enumerate() {
            println!(
                "round {round}, {name}: job {:.2} s, bare SQL {:.2} s, ratio {:.2}",
                mine[way],
                bare[way],
                bare[way] / mine[way]
            );
            ours[way] += mine[way];
            floor[way] += bare[way];
        }
    }
    for (way, name) in ["insert", "update"].into_iter().enumerate() {
        println!(
            "load of {rows} rows, {name}: job {:.0} rows/s, bare SQL {:.0} rows/s, ratio {:.2} (goal 0.50)",
            f64::from(rows * ROUNDS) / ours[way],
            f64::from(rows * ROUNDS) / floor[way],
            floor[way] / ours[way]
        );
    }
}

fn file(rows: u32) -> Vec<u8> {
    let mut text = COLUMNS.join(",");
    text.push('\n');
    for n in 0..rows {
        // Every key once, and not in their order.
        let id = (u64::from(n) * 611_953) % u64::from(rows);
        writeln!(
            text,
            "{id},\"Person, number {id}\",person{id}@example.org,19{:02}-{:02}-{:02},{}.5",
            id % 100,
            id % 12 + 1,
            id % 28 + 1,
            id % 1000
        )
        .expect("a text");
    }
    text.into_bytes()
}

fn check(conn: &mut PgConnection, rows: u32) {
    use diesel::dsl::sql;
    use diesel::sql_types::BigInt;
    let count: i64 = diesel::select(sql::<BigInt>("(select count(*) from public.person)"))
        .get_result(conn)
        .expect("a count");
    assert_eq!(count, i64::from(rows));
}

/// Seconds of the load into the empty table, and of the load over it.
fn by_job(url: &str, file: &[u8], rows: u32) -> [f64; 2] {
    let mut conn = PgConnection::establish(url).expect("a connection");
    conn.batch_execute(TABLE).expect("a table");
    let db = Db::new(DbConfig::new(url)).expect("a pool");
    let names = || COLUMNS.map(ToOwned::to_owned).to_vec();
    let object = IngestObject::new("public.person", vec!["id".into()], names()).expect("an object");
    let objects: IngestObjects = [("person".to_owned(), object)].into_iter().collect();
    let mut config = WorkerConfig::new("bench");
    config.kinds.extend(database_kinds(&db, objects));
    let metrics = Metrics::new().expect("metrics");
    let worker = Worker::start(db.clone(), config, metrics).expect("a worker");
    let seconds = [(); 2].map(|()| {
        let job = upload(&db, file);
        conn.batch_execute("checkpoint").expect("a checkpoint");
        let actor = Actor::new("bench", Via::Native);
        let began = Instant::now();
        db.tx(|c| ops::close(c, None, job, &actor))
            .expect("a close");
        loop {
            let found = db
                .read(|c| query::get(c, None, &JobRef::number(job)))
                .expect("the job");
            match found.state {
                JobState::Completed => break,
                JobState::Failed => panic!("{:?}", found.last_error),
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        check(&mut conn, rows);
        seconds
    });
    worker.stop_now();
    worker.join();
    seconds
}

fn upload(db: &Db, file: &[u8]) -> i64 {
    let job = NewJob {
        payload: "{\"object\": \"person\", \"operation\": \"upsert\"}".into(),
        ..NewJob::new("ingest")
    };
    let actor = Actor::new("bench", Via::Native);
    let job = db
        .tx(|c| ops::enqueue(c, 1, &job, None, true, &actor))
        .expect("a job")
        .id;
    let begun = db
        .tx(|c| ops::begin_upload(c, None, job))
        .expect("an upload");
    let Begun::Upload(upload) = begun else {
        panic!("{begun:?}");
    };
    for (number, chunk) in (1..).zip(file.chunks(CHUNK)) {
        let kept = db.read(|c| ops::append_chunk(c, upload, number, chunk));
        assert!(kept.expect("a chunk"));
    }
    let bytes = i64::try_from(file.len()).expect("small");
    db.tx(|c| ops::finish_upload(c, None, job, upload, bytes))
        .expect("a file");
    job
}

diesel::table! {
    /// Stands for the staging table.
    pg_temp.staging (c1) {
        /// The first of its columns.
        c1 -> Text,
    }
}

struct Staging;

impl CopyTarget for Staging {
    type Table = staging::table;
    type SqlType = diesel::sql_types::Text;

    fn walk_target(mut pass: AstPass<'_, '_, Pg>) -> QueryResult<()> {
        pass.push_sql("pg_temp.staging");
        Ok(())
    }
}

fn by_sql(url: &str, file: &[u8], rows: u32) -> [f64; 2] {
    let mut conn = PgConnection::establish(url).expect("a connection");
    conn.batch_execute(TABLE).expect("a table");
    conn.batch_execute("set jit = off; set work_mem = '64MB'")
        .expect("settings");
    [(); 2].map(|()| {
        conn.batch_execute("checkpoint").expect("a checkpoint");
        let began = Instant::now();
        conn.transaction(|conn| {
            conn.batch_execute("create temp table staging (c1 text, c2 text, c3 text, c4 text, c5 text) on commit drop")?;
            diesel::copy_from(staging::table)
                .from_raw_data(Staging, |out: &mut dyn std::io::Write| {
                    out.write_all(file)
                        .map_err(|e| diesel::result::Error::SerializationError(Box::new(e)))
                })
                .with_format(CopyFormat::Csv)
                .with_header(CopyHeader::Set(true))
                .execute(conn)?;
            conn.batch_execute(PLACE)
        })
        .expect("the floor");
        let seconds = began.elapsed().as_secs_f64();
        check(&mut conn, rows);
        seconds
    })
}
