//! What the guard and the pipes of a command cost: 100 programs a second through the executor, beside the same programs from a bare
//! loop, by the processor time of this process and of everything it has started.
//!
//! `BELAY_SPAWN_SECONDS` (10) sets how long each part takes.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use belay_worker::executors::command::{CommandExecutor, CommandSettings};
use belay_worker::executors::{Attempt, Control, Executor, Finish, Output, Progress, Sink};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

const RATE: u32 = 100;
/// The kernel counts processor time in these.
const TICKS: f64 = 100.0;
/// Parts of each kind, taken in turns.
const ROUNDS: u32 = 3;

#[derive(Debug)]
struct Deaf;

impl Sink for Deaf {
    fn output(&self, _: Output) {}
    fn progress(&self, _: Progress) {}
}

fn main() {
    let seconds = std::env::var("BELAY_SPAWN_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for argv in [
        vec!["/bin/true"],
        vec!["/bin/sh", "-c", "cat > /dev/null; echo done"],
        vec![
            "/usr/bin/perl",
            "-e",
            "my $n = 0; $n += $_ for 1..400000; print $n",
        ],
    ] {
        let argv: Vec<String> = argv.into_iter().map(str::to_owned).collect();
        let (mut bare, mut ours) = (0.0, 0.0);
        for _ in 0..ROUNDS {
            bare += runtime.block_on(paced(seconds, || bare_run(argv.clone())));
            ours += runtime.block_on(paced(seconds, || guarded_run(argv.clone())));
        }
        let spawns = f64::from(RATE * seconds * ROUNDS);
        println!(
            "spawn {}: bare loop {:.2} ms of processor each, through the executor {:.2} ms, {:+.0} % (goal +20 %)",
            argv.join(" "),
            bare / spawns * 1000.0,
            ours / spawns * 1000.0,
            (ours / bare - 1.0) * 100.0
        );
    }
}

/// Starts something 100 times a second, waits for all of it, and answers the processor time in seconds.
async fn paced<F>(seconds: u32, mut start: impl FnMut() -> F) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let before = processor_time();
    let mut pace = interval(Duration::from_secs(1) / RATE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut running = JoinSet::new();
    for _ in 0..RATE * seconds {
        pace.tick().await;
        running.spawn(start());
        while running.try_join_next().is_some() {}
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("no panic");
    }
    processor_time() - before
}

/// As a program would that wants no more than the result.
async fn bare_run(argv: Vec<String>) {
    let ended = tokio::task::spawn_blocking(move || {
        Command::new(&argv[0])
            .args(&argv[1..])
            .stdin(Stdio::null())
            .output()
    });
    let output = ended.await.expect("no panic").expect("a program");
    assert!(output.status.success());
}

async fn guarded_run(argv: Vec<String>) {
    let mut settings = CommandSettings::new(argv);
    settings.guard = vec![env!("CARGO_BIN_EXE_belay-guard").into()];
    let executor = CommandExecutor::new(settings).expect("settings");
    let (_control, seen) = watch::channel(Control::Run);
    let lease = watch::Sender::new(Duration::MAX);
    let attempt = Attempt {
        job: 1,
        uid: "u".into(),
        tenant: 1,
        queue: "q".into(),
        kind: "k".into(),
        attempt: 1,
        max_attempts: 1,
        fence: 1,
        worker: 1,
        lease: lease.subscribe(),
        payload: "{}".into(),
        control: seen,
        sink: Arc::new(Deaf),
    };
    assert_eq!(executor.run(attempt).await, Finish::Completed);
}

/// User and system time of this process and of its children that were waited for, in seconds.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc");
    let after_name = stat.rsplit(')').next().expect("a name");
    after_name
        .split_ascii_whitespace()
        .skip(11)
        .take(4)
        .map(|ticks| ticks.parse::<f64>().expect("a number") / TICKS)
        .sum()
}
