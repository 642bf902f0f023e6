//! Stops trees of 50 processes: plain children, children in sessions of their own, orphans that forked twice, and some that ignore
//! TERM. Nothing of a tree may be left when the attempt says that it has stopped, and that must be within the grace and a second.
//!
//! `BELAY_TREES` (200) sets how many.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use belay_worker::executors::command::{CommandExecutor, CommandSettings};
use belay_worker::executors::{
    Attempt, Control, Executor, Finish, Output, Progress, Rung, Sink, StopCause,
};
use tokio::sync::watch;
use tokio::task::JoinSet;

const GRACE: Duration = Duration::from_secs(1);
const PROCESSES: usize = 50;
const AT_ONCE: usize = 3;

/// 20 children, 10 in sessions of their own, 10 orphans (twice forked), 9 that ignore TERM in sessions of their own, and the shell.
const SCRIPT: &str = r#"
i=0; while [ $i -lt 20 ]; do sleep 600 & i=$((i + 1)); done
i=0; while [ $i -lt 10 ]; do setsid sleep 600 & i=$((i + 1)); done
i=0; while [ $i -lt 10 ]; do (sleep 600 &) & i=$((i + 1)); done
i=0; while [ $i -lt 9 ]; do setsid sh -c "trap '' TERM; while :; do sleep 1; done" & i=$((i + 1)); done
wait
"#;

#[derive(Debug)]
struct Deaf;

impl Sink for Deaf {
    fn output(&self, _: Output) {}
    fn progress(&self, _: Progress) {}
}

fn main() {
    let trees = std::env::var("BELAY_TREES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(200);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut times = runtime.block_on(all(trees));
    times.sort_unstable();
    let late = times
        .iter()
        .filter(|took| **took > GRACE + Duration::from_secs(1))
        .count();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64();
    println!(
        "cancel of {trees} trees of {PROCESSES} processes: {} of {trees} with nothing left within the grace ({GRACE:?}) and 1 s; from the stop to the end p50 {:.2} s, p99 {:.2} s, longest {:.2} s",
        times.len() - late,
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

async fn all(trees: usize) -> Vec<Duration> {
    let mut running = JoinSet::new();
    let mut times = Vec::new();
    for _ in 0..trees {
        if running.len() == AT_ONCE {
            times.extend(
                running
                    .join_next()
                    .await
                    .map(|took| took.expect("no panic")),
            );
        }
        running.spawn(one());
    }
    while let Some(took) = running.join_next().await {
        times.push(took.expect("no panic"));
    }
    times
}

/// Starts a tree, stops it, and answers how long that took; fails when anything of it is left.
async fn one() -> Duration {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mark = format!(
        "belay-tree-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let argv = ["/bin/sh", "-c", SCRIPT].map(str::to_owned);
    let mut settings = CommandSettings::new(argv.into());
    settings.guard = vec![env!("CARGO_BIN_EXE_belay-guard").into()];
    settings.grace = GRACE;
    settings.env.insert("TREE".into(), mark.clone());
    let executor = CommandExecutor::new(settings).expect("settings");
    let (control, seen) = watch::channel(Control::Run);
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
    let running = tokio::spawn(executor.run(attempt));
    while alive(&mark) < PROCESSES {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let began = Instant::now();
    control
        .send(Control::Stop(StopCause::Cancel))
        .expect("it listens");
    let finish = running.await.expect("no panic");
    let took = began.elapsed();
    // Rarely TERM comes before the last of them has set its trap.
    let all_deaf = Finish::Stopped { rung: Rung::Kill };
    let some_deaf = Finish::Stopped { rung: Rung::Term };
    assert!(finish == all_deaf || finish == some_deaf, "{finish:?}");
    assert_eq!(alive(&mark), 0, "something of the tree is left");
    took
}

/// Living processes whose environment holds the mark.
fn alive(mark: &str) -> usize {
    let mark = format!("TREE={mark}\0");
    std::fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("environ")).ok())
        .filter(|environment| {
            environment
                .windows(mark.len())
                .any(|part| part == mark.as_bytes())
        })
        .count()
}
