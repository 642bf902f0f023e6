//! For benchmarks: a durable cluster of their own, pgbench as the floor, and percentiles.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use belay_core::ops::NewWorker;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double};

/// Settings of every hot connection, for pgbench: plans must not depend on statistics.
const PINNED: &str = "-c jit=off -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c enable_bitmapscan=off \
                      -c max_parallel_workers_per_gather=0";

/// What a run of pgbench says.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    /// Transactions a second.
    pub tps: f64,
}

/// How long pgbench runs.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// For so many seconds.
    Seconds(u32),
    /// For so many transactions per client.
    Transactions(u64),
}

/// Runs a script with pgbench (`-M prepared`) and answers its rate. `variables` have these values at each client's start; what
/// the script sets with `\gset` lasts for that client.
///
/// # Panics
/// When pgbench is missing or fails.
#[must_use]
pub fn pgbench(
    bin_dir: &Path,
    url: &str,
    script: &str,
    clients: u32,
    until: Until,
    variables: &[(&str, &str)],
) -> Floor {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("script.sql");
    fs::write(&file, script).expect("writing the script");
    let (flag, amount) = match until {
        Until::Seconds(seconds) => ("-T", seconds.to_string()),
        Until::Transactions(transactions) => ("-t", transactions.to_string()),
    };
    let program = [
        bin_dir.join("pgbench"),
        Path::new("/usr/bin/pgbench").to_owned(),
        "pgbench".into(),
    ]
    .into_iter()
    .find(|path| path.components().count() == 1 || path.exists())
    .expect("a candidate without a folder always passes");
    let output = Command::new(program)
        .args([
            "-n",
            "-M",
            "prepared",
            "-c",
            &clients.to_string(),
            "-j",
            &clients.min(2).to_string(),
            flag,
            &amount,
            "-f",
        ])
        .arg(&file)
        .args(
            variables
                .iter()
                .flat_map(|(name, value)| ["-D".to_owned(), format!("{name}={value}")]),
        )
        .arg(url)
        .env("PGOPTIONS", PINNED)
        .output()
        .expect("pgbench could not be started; it comes with the server programs of PostgreSQL");
    let text = String::from_utf8_lossy(&output.stdout);
    let tps = text
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| {
            panic!(
                "pgbench failed: {}{text}",
                String::from_utf8_lossy(&output.stderr)
            )
        });
    Floor { tps }
}

#[derive(QueryableByName)]
struct Position {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Bytes of WAL written by this cluster so far.
///
/// # Panics
/// When the database refuses.
#[must_use]
pub fn wal_bytes(conn: &mut PgConnection) -> i64 {
    diesel::sql_query("select (pg_current_wal_insert_lsn() - '0/0')::bigint as n")
        .get_result::<Position>(conn)
        .expect("the position of the WAL")
        .n
}

#[derive(QueryableByName)]
struct Share {
    #[diesel(sql_type = Double)]
    share: f64,
}

/// Share of the updates of `belay.job` so far that were HOT, from 0 to 1.
///
/// # Panics
/// When the database refuses.
#[must_use]
pub fn hot_share(conn: &mut PgConnection) -> f64 {
    diesel::sql_query("select pg_stat_force_next_flush()")
        .execute(conn)
        .expect("flushing statistics");
    diesel::sql_query(
        "select n_tup_hot_upd::float8 / greatest(n_tup_upd, 1) as share from pg_stat_user_tables where schemaname = 'belay' and relname = 'job'",
    )
    .get_result::<Share>(conn)
    .expect("the statistics of belay.job")
    .share
}

/// A worker that nobody runs, for benchmarks that claim by hand. It lives for an hour without a heartbeat.
#[must_use]
pub fn worker(kind: &str, slots: u32) -> NewWorker {
    NewWorker {
        name: "bench".into(),
        host: "here".into(),
        pid: 1,
        version: "0".into(),
        queues: None,
        kinds: vec![kind.into()],
        slots,
        lease: Duration::from_secs(3600),
    }
}

/// The value below which a share `q` (0 to 1) of the values lies.
#[must_use]
pub fn percentile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into the values"
    )]
    let index = ((values.len() as f64 * q) as usize).min(values.len().saturating_sub(1));
    values.get(index).copied().unwrap_or(f64::NAN)
}
