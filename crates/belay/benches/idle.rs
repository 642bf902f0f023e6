//! What an idle daemon costs: processor time of the daemon and of its private database, and the daemon's memory.
//!
//! `cargo bench -p belay --bench idle`. Linux only, like the figures it reads.

#![expect(clippy::expect_used, reason = "a benchmark")]

mod daemon;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use self::daemon::Daemon;

const SECONDS: u64 = 30;
/// Ticks of `/proc/*/stat` in a second, on every Linux that counts.
const TICKS: f64 = 100.0;

fn main() {
    let daemon = Daemon::start(Duration::from_secs(5));
    let database = postmaster(daemon.folder());
    let before = (ticks(&[daemon.pid()]), ticks(&family(database)));
    thread::sleep(Duration::from_secs(SECONDS));
    let after = (ticks(&[daemon.pid()]), ticks(&family(database)));
    let share = |before: f64, after: f64| (after - before) / TICKS / (SECONDS as f64) * 100.0;
    println!(
        "idle for {SECONDS} s: daemon {:.2} % of a core, its database {:.2} % of a core (goal: under 3 % together); daemon's memory {:.1} MB (goal: under 60 MB)",
        share(before.0, after.0),
        share(before.1, after.1),
        daemon.memory("VmRSS:"),
    );
}

fn postmaster(data_dir: &Path) -> u32 {
    let file = fs::read_to_string(data_dir.join("pg/pgdata/postmaster.pid"))
        .expect("the database's pid file");
    file.lines()
        .next()
        .and_then(|line| line.trim().parse().ok())
        .expect("a process number")
}

fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Fields after the name, which may hold spaces.
    Some(
        text.rsplit_once(") ")?
            .1
            .split(' ')
            .map(str::to_owned)
            .collect(),
    )
}

/// A process and its children.
fn family(parent: u32) -> Vec<u32> {
    let mut all = vec![parent];
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        if let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
            && stat(pid).is_some_and(|fields| {
                fields
                    .get(1)
                    .is_some_and(|ppid| *ppid == parent.to_string())
            })
        {
            all.push(pid);
        }
    }
    all
}

/// Processor time so far, that of children which have ended included.
fn ticks(pids: &[u32]) -> f64 {
    pids.iter()
        .filter_map(|pid| stat(*pid))
        .flat_map(|fields| fields.into_iter().skip(11).take(4))
        .filter_map(|field| field.parse::<f64>().ok())
        .sum()
}
