//! What an idle daemon costs: processor time of the daemon and of its private database, and the daemon's memory.
//!
//! `cargo bench -p belay --bench idle`. Linux only, like the figures it reads.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

const SECONDS: u64 = 30;
/// Ticks of `/proc/*/stat` in a second, on every Linux that counts.
const TICKS: f64 = 100.0;

fn main() {
    let folder = tempfile::Builder::new()
        .prefix("belay-idle-")
        .tempdir()
        .expect("a temporary folder");
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_belay"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the daemon starts");
    let address = folder.path().join("address");
    while !address.exists() {
        assert!(
            daemon.try_wait().expect("a child").is_none(),
            "the daemon ended before it was ready"
        );
        thread::sleep(Duration::from_millis(50));
    }
    // The first partitions, the first looks of each duty.
    thread::sleep(Duration::from_secs(5));
    let database = postmaster(folder.path());
    let before = (ticks(&[daemon.id()]), ticks(&family(database)));
    thread::sleep(Duration::from_secs(SECONDS));
    let after = (ticks(&[daemon.id()]), ticks(&family(database)));
    let share = |before: f64, after: f64| (after - before) / TICKS / (SECONDS as f64) * 100.0;
    println!(
        "idle for {SECONDS} s: daemon {:.2} % of a core, its database {:.2} % of a core (goal: under 3 % together); daemon's memory {:.1} MB (goal: under 60 MB)",
        share(before.0, after.0),
        share(before.1, after.1),
        resident(daemon.id()),
    );
    stop(&mut daemon);
}

fn stop(daemon: &mut Child) {
    // In good order, so that the private database ends, too.
    let pid = daemon.id().to_string();
    let _ = Command::new("kill").args(["-TERM", &pid]).status();
    let _ = daemon.wait();
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

fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the daemon's status");
    let kilobytes = status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?
            .trim()
            .strip_suffix(" kB")?
            .trim()
            .parse::<f64>()
            .ok()
    });
    kilobytes.expect("its memory") / 1024.0
}
