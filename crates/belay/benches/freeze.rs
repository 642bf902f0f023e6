//! Daemons that are frozen (SIGSTOP) for three leases with a command running, and woken. Its command must be dead by then, by its
//! guard's own watch; the job must have run once more elsewhere, exactly once; and nothing that the woken daemon says may count.
//!
//! `BELAY_FREEZES` (100) sets how many.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use belay_core::db::DbConfig;
use belay_core::id::JobRef;
use belay_core::model::Job;
use belay_core::ops::{self, Actor, NewJob, Via};
use belay_core::{Db, JobState, query};
use belay_testkit::{TestCluster, processes_with};
use rustix::process::{Pid, Signal, kill_process};

const LEASE: Duration = Duration::from_secs(1);
const DAEMONS: usize = 6;
const LANES: usize = 3;
/// Only a broken program takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

struct Daemon(Child);

impl Daemon {
    fn start(folder: &Path, config: &Path, url: &str, n: usize) -> Self {
        let data = folder.join(format!("daemon-{n}"));
        let child = Command::new(env!("CARGO_BIN_EXE_belay"))
            .arg("serve")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("BELAY_CONFIG", config)
            .env("BELAY_DATA_DIR", &data)
            .env("BELAY_LISTEN", "127.0.0.1:0")
            .env("DATABASE_URL", url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a daemon");
        wait(|| data.join("address").exists().then_some(()));
        Self(child)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the lanes share.
struct Bench {
    db: Db,
    folder: PathBuf,
    /// Held from the enqueue of a job until whoever took it is frozen.
    one_at_a_time: Mutex<()>,
    left: AtomicU32,
}

fn main() {
    let runs: u32 = std::env::var("BELAY_FREEZES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(100);
    let cluster = TestCluster::start();
    let url = cluster.migrated("frozen");
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("belay.toml");
    // The first attempt never ends by itself; every other one leaves a line.
    let script = r#"read -r run; if [ "$BELAY_ATTEMPT" = 1 ]; then sleep 600; fi; echo "$BELAY_FENCE" >> "$run""#;
    let text = format!(
        "[worker]\nlease = \"{}s\"\nbeat = \"200ms\"\n\n[kinds.work]\nexecutor = \"command\"\nargv = [\"/bin/sh\", \"-c\", '''{script}''']\n",
        LEASE.as_secs()
    );
    // The payload is a JSON text: its quotes go with tr.
    fs::write(
        &config,
        text.replace("read -r run;", "run=$(tr -d \"\\\"\");"),
    )
    .expect("a file");
    let daemons: Vec<Daemon> = (0..DAEMONS)
        .map(|n| Daemon::start(folder.path(), &config, &url, n))
        .collect();
    let bench = Bench {
        db: Db::new(DbConfig::new(&url)).expect("a pool"),
        folder: folder.path().to_owned(),
        one_at_a_time: Mutex::new(()),
        left: AtomicU32::new(runs),
    };
    let began = Instant::now();
    let times: Vec<Duration> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(|| bench.lane())).collect();
        let ended = lanes.into_iter().map(|lane| lane.join().expect("a lane"));
        ended.flatten().collect()
    });
    drop(daemons);
    let mut times = times;
    times.sort_unstable();
    println!(
        "frozen for 3 leases ({LEASE:?}) and woken: {} of {runs} runs in which the command was dead before its daemon was woken, the job ran once more elsewhere, exactly once, and no stale report counted; from the freeze to the end elsewhere p50 {:.2} s, longest {:.2} s; {:.0} s in all",
        times.len(),
        times[times.len() / 2].as_secs_f64(),
        times[times.len() - 1].as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
}

impl Bench {
    fn lane(&self) -> Vec<Duration> {
        let mut times = Vec::new();
        loop {
            let before = self
                .left
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
                    left.checked_sub(1)
                });
            match before {
                Ok(n) => times.push(self.run(n)),
                Err(_) => return times,
            }
        }
    }

    fn run(&self, n: u32) -> Duration {
        let file = self.folder.join(format!("run-{n}"));
        let turn = self.one_at_a_time.lock().expect("no lane panics");
        let payload = serde_json::to_string(&file.display().to_string()).expect("JSON");
        let job = NewJob {
            payload,
            ..NewJob::new("work")
        };
        let actor = Actor::new("bench", Via::Native);
        let id = self
            .db
            .tx(|conn| ops::enqueue(conn, 1, &job, None, false, &actor))
            .expect("a job")
            .id;
        // The guard names the job in its command line, for readers of a process list.
        let mark = format!("job {id} ");
        let first = wait(|| {
            let job = self.job(id);
            let runs = job.state == JobState::Running && !processes_with(&mark).is_empty();
            runs.then_some(job)
        });
        let pid = self.pid_of(first.worker.expect("a worker"));
        let signal = |signal| kill_process(pid, signal).expect("a daemon");
        // Its program runs as well.
        thread::sleep(Duration::from_millis(50));
        signal(Signal::STOP);
        drop(turn);
        let frozen = Instant::now();

        let ended = wait(|| {
            let job = self.job(id);
            job.state.is_terminal().then_some(job)
        });
        let took = frozen.elapsed();
        thread::sleep((LEASE * 3).saturating_sub(frozen.elapsed()));
        // Killed by its own guard, while its daemon still stands still.
        assert_eq!(processes_with(&mark), Vec::<String>::new(), "run {n}");
        signal(Signal::CONT);
        // Its reports, if it makes any, are refused.
        thread::sleep(Duration::from_millis(700));
        let now = self.job(id);
        assert_eq!(
            (now.state, now.attempt, now.fence),
            (JobState::Completed, 2, 3),
            "run {n}: {:?}",
            now.last_error
        );
        assert_eq!(
            (now.worker, now.finished_at),
            (ended.worker, ended.finished_at)
        );
        assert_ne!(now.worker, first.worker, "run {n} ran elsewhere");
        assert_eq!(
            fs::read_to_string(&file).expect("its line"),
            "3\n",
            "run {n}"
        );
        took
    }

    fn job(&self, id: i64) -> Job {
        self.db
            .read(|conn| query::get(conn, None, &JobRef::number(id)))
            .expect("the job")
    }

    fn pid_of(&self, worker: i64) -> Pid {
        let workers = self.db.read(query::workers).expect("workers");
        let row = workers
            .iter()
            .find(|row| row.id == worker)
            .expect("its row");
        Pid::from_raw(row.pid).expect("a process")
    }
}

/// Looks until there is something to see.
fn wait<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "what the benchmark waits for did not happen"
        );
        thread::sleep(Duration::from_millis(10));
    }
}
