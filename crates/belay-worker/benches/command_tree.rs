//! How surely and how soon a cancel ends a tree of 50 processes that resist: with sessions of their own, forked twice, deaf to TERM.
//!
//! Each run starts the tree, waits until all 50 are there, cancels, and looks for them in `/proc` by a mark in their environment: when the
//! executor says that the attempt is over, and when the grace and a second more have passed. A run is clean when the first look finds
//! nothing, and the executor said so in time. The looks at the 50 before the cancel show that a process would be seen.
//!
//! `cargo bench -p belay-worker --bench command_tree`. `BELAY_TREES` sets the number of runs (200). Linux only.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use belay_testkit::bench::percentile;
use belay_worker::executors::command::{CommandExecutor, CommandSettings};
use belay_worker::executors::{
    Attempt, Control, Executor, Finish, Output, Progress, Rung, Sink, StopCause,
};
use tokio::sync::watch;
use tokio::time::sleep;

/// Runs at a time: most of each is waiting for the grace.
const AT_ONCE: u32 = 4;
const GRACE: Duration = Duration::from_secs(1);
/// What the goal allows beyond the grace.
const MORE: Duration = Duration::from_secs(1);
/// Only a machine that does nothing else for minutes takes longer to start the tree.
const PATIENCE: Duration = Duration::from_secs(60);
const TREE: usize = 50;
const MARK: &str = "TREE_MARK";

/// 50 processes: itself, nine that end by TERM, and ten of each sort that is hard to get at. `exec` keeps what is ignored.
const PROGRAM: &str = r#"
deaf='trap "" TERM HUP INT; exec sleep 1000'
i=0
while [ $i -lt 10 ]; do
    sh -c "$deaf" &
    setsid sleep 1000 &
    (setsid sh -c "$deaf" &)
    (DEAF="$deaf" setsid sh -c '(setsid sh -c "$DEAF" &)' &)
    [ $i -eq 9 ] || sleep 1000 &
    i=$((i + 1))
done
trap "" TERM
while :; do wait; done
"#;

#[derive(Debug)]
struct Deaf;

impl Sink for Deaf {
    fn output(&self, _: Output) {}
    fn progress(&self, _: Progress) {}
}

/// What came of one run.
struct Run {
    /// From the cancel to the end of the attempt.
    took: Duration,
    /// Processes found when the attempt was over.
    left_at_end: usize,
    /// Processes found a second after the grace.
    left_later: usize,
    finish: Finish,
}

impl Run {
    fn is_clean(&self) -> bool {
        self.left_at_end == 0
            && self.left_later == 0
            && self.took <= GRACE + MORE
            && self.finish == Finish::Stopped { rung: Rung::Kill }
    }
}

fn main() {
    let runs: u32 =
        std::env::var("BELAY_TREES").map_or(200, |n| n.parse().expect("BELAY_TREES is a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let next = Arc::new(AtomicU32::new(0));
    let lanes: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let next = Arc::clone(&next);
            runtime.spawn(async move {
                let mut ended = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= runs {
                        return ended;
                    }
                    ended.push(run(number).await);
                }
            })
        })
        .collect();
    let ended: Vec<Run> = lanes
        .into_iter()
        .flat_map(|lane| runtime.block_on(lane).expect("no panic"))
        .collect();
    let clean = ended.iter().filter(|run| run.is_clean()).count();
    for run in ended.iter().filter(|run| !run.is_clean()) {
        println!(
            "not clean: {:?} after {:.3} s, {} left then, {} left later",
            run.finish,
            run.took.as_secs_f64(),
            run.left_at_end,
            run.left_later
        );
    }
    let mut beyond: Vec<f64> = ended
        .iter()
        .map(|run| (run.took.as_secs_f64() - GRACE.as_secs_f64()) * 1000.0)
        .collect();
    println!(
        "cancel of {TREE} processes that resist, grace {GRACE:?}: {clean} of {} runs clean (goal: all, nothing left {MORE:?} after the grace); \
         from the end of the grace to the end of the attempt p50 {:.0} ms, p99 {:.0} ms, longest {:.0} ms",
        ended.len(),
        percentile(&mut beyond, 0.5),
        percentile(&mut beyond, 0.99),
        percentile(&mut beyond, 1.0),
    );
    assert_eq!(clean, ended.len(), "runs that were not clean");
}

async fn run(number: u32) -> Run {
    let mark = format!("{MARK}=run-{}-{number}-end", std::process::id());
    let (name, value) = mark.split_once('=').expect("a name and a value");
    let mut settings = CommandSettings::new(["/bin/sh", "-c", PROGRAM].map(str::to_owned).into());
    settings.guard = vec![env!("CARGO_BIN_EXE_belay-guard").into()];
    settings.env.insert(name.into(), value.into());
    settings.grace = GRACE;
    let (control, seen) = watch::channel(Control::Run);
    let lease = watch::Sender::new(Duration::MAX);
    let attempt = Attempt {
        job: i64::from(number) + 1,
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
    let executor = CommandExecutor::new(settings).expect("settings");
    let running = tokio::spawn(executor.run(attempt));
    let begun = Instant::now();
    while settled(&mark).await != TREE {
        assert!(begun.elapsed() < PATIENCE, "the tree does not grow");
        sleep(Duration::from_millis(20)).await;
    }
    let cancelled = Instant::now();
    control
        .send(Control::Stop(StopCause::Cancel))
        .expect("the attempt runs");
    let finish = running.await.expect("no panic");
    let took = cancelled.elapsed();
    let left_at_end = living(&mark).await.len();
    sleep((GRACE + MORE).saturating_sub(cancelled.elapsed())).await;
    Run {
        took,
        left_at_end,
        left_later: living(&mark).await.len(),
        finish,
    }
}

/// How many of the tree are there and have become what they are to be. The `sh` of the program itself stays one.
async fn settled(mark: &str) -> usize {
    let names = living(mark).await;
    let shells = names.iter().filter(|name| *name != "sleep").count();
    if shells == 1 { names.len() } else { 0 }
}

/// The names of the living processes with this in their environment.
async fn living(mark: &str) -> Vec<String> {
    let mark = mark.as_bytes().to_vec();
    tokio::task::spawn_blocking(move || {
        fs::read_dir("/proc")
            .expect("the list of processes")
            .flatten()
            .filter(|entry| {
                fs::read(entry.path().join("environ")).is_ok_and(|environ| {
                    environ.split(|byte| *byte == 0).any(|entry| entry == mark)
                })
            })
            // One that ends between the two looks has no name any more.
            .filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok())
            .map(|name| name.trim_end().to_owned())
            .collect()
    })
    .await
    .expect("no panic")
}
