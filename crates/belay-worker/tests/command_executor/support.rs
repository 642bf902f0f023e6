//! Runs attempts, records what they show, and looks in `/proc` for what lives of them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use belay_worker::executors::command::{CommandExecutor, CommandSettings};
use belay_worker::executors::{Attempt, Control, Executor, Finish, Output, Progress, Sink};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Far longer than anything here takes; only reached when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    outputs: Mutex<Vec<Output>>,
    progress: Mutex<Vec<Progress>>,
}

impl Sink for Recorder {
    fn output(&self, output: Output) {
        self.outputs.lock().unwrap().push(output);
    }
    fn progress(&self, progress: Progress) {
        self.progress.lock().unwrap().push(progress);
    }
}

impl Recorder {
    pub(crate) fn last(&self) -> Output {
        self.outputs
            .lock()
            .unwrap()
            .last()
            .cloned()
            .unwrap_or_default()
    }
    pub(crate) fn outputs(&self) -> Vec<Output> {
        self.outputs.lock().unwrap().clone()
    }
    pub(crate) fn progress(&self) -> Vec<Progress> {
        self.progress.lock().unwrap().clone()
    }
}

/// An attempt before its start.
pub(crate) struct Job {
    pub(crate) settings: CommandSettings,
    pub(crate) payload: String,
    lease: Option<watch::Receiver<Duration>>,
    number: i64,
    mark: String,
}

/// A running attempt.
pub(crate) struct Started {
    pub(crate) control: watch::Sender<Control>,
    pub(crate) sink: Arc<Recorder>,
    pub(crate) task: JoinHandle<Finish>,
    number: i64,
    mark: String,
}

/// A process as `/proc` shows it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) state: char,
    pub(crate) is_guard: bool,
    pub(crate) command: String,
}

impl Job {
    pub(crate) fn new(argv: &[&str]) -> Self {
        static NEXT: AtomicI64 = AtomicI64::new(0);
        let number = i64::from(std::process::id()) * 10_000 + NEXT.fetch_add(1, Ordering::Relaxed);
        let mark = format!("mark-{number}-end");
        let mut settings = CommandSettings::new(argv.iter().map(ToString::to_string).collect());
        settings.guard = vec![env!("CARGO_BIN_EXE_belay-guard").into()];
        settings.env.insert("TEST_MARK".into(), mark.clone());
        Self {
            settings,
            payload: "{}".into(),
            lease: None,
            number,
            mark,
        }
    }

    /// A shell script as the program.
    pub(crate) fn sh(script: &str) -> Self {
        Self::new(&["/bin/sh", "-c", script])
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.env.insert(name.into(), value.into());
        self
    }

    pub(crate) fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Leases that end.
    pub(crate) fn lease(mut self, lease: watch::Receiver<Duration>) -> Self {
        self.lease = Some(lease);
        self
    }

    pub(crate) fn start(self) -> Started {
        self.start_with(Control::Run)
    }

    pub(crate) fn start_with(self, first: Control) -> Started {
        let (control, seen) = watch::channel(first);
        let sink = Arc::new(Recorder::default());
        let attempt = Attempt {
            job: self.number,
            uid: "0b3a".into(),
            tenant: 3,
            queue: "reports".into(),
            kind: "report".into(),
            attempt: 2,
            max_attempts: 5,
            fence: 17,
            worker: 1,
            lease: self
                .lease
                .unwrap_or_else(|| watch::Sender::new(Duration::MAX).subscribe()),
            payload: self.payload,
            control: seen,
            sink: sink.clone(),
        };
        let executor = CommandExecutor::new(self.settings).unwrap();
        Started {
            control,
            sink,
            task: tokio::spawn(executor.run(attempt)),
            number: self.number,
            mark: self.mark,
        }
    }

    /// Runs the attempt to its end.
    pub(crate) async fn run(self) -> (Finish, Output) {
        let started = self.start();
        let sink = started.sink.clone();
        let (_control, finish) = started.end().await;
        (finish, sink.last())
    }
}

impl Started {
    /// Waits for the result, and checks that nothing of the attempt is left at that moment.
    pub(crate) async fn end(self) -> (watch::Sender<Control>, Finish) {
        let finish = tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("the attempt does not end")
            .unwrap();
        let left = alive(&self.mark, self.number);
        assert!(left.is_empty(), "left behind: {left:#?}");
        (self.control, finish)
    }

    pub(crate) async fn finish(self) -> Finish {
        self.end().await.1
    }

    /// Every living process of this attempt, the guard included.
    pub(crate) fn alive(&self) -> Vec<Seen> {
        alive(&self.mark, self.number)
    }

    /// Every living process of the program.
    pub(crate) fn programs(&self) -> Vec<Seen> {
        let mut seen = self.alive();
        seen.retain(|process| !process.is_guard);
        seen
    }

    /// Whether every process of the program is stopped. The parent of a `vfork` counts as well when it waits
    /// for a child that is.
    pub(crate) fn holds_still(&self) -> bool {
        let programs = self.programs();
        let stopped = |process: &Seen| process.state == 'T';
        let waits = |process: &Seen| {
            let is_child = |child: &Seen| child.parent == process.pid && stopped(child);
            process.state == 'D' && programs.iter().any(is_child)
        };
        let is_still = |process: &Seen| stopped(process) || waits(process);
        !programs.is_empty() && programs.iter().all(is_still)
    }

    pub(crate) fn guard(&self) -> Option<Seen> {
        self.alive().into_iter().find(|process| process.is_guard)
    }

    /// Waits until the program has written `text` to standard output.
    pub(crate) async fn says(&self, text: &str) {
        until(text, || self.sink.last().stdout.contains(text)).await;
    }

    /// What the processes need to be found after the attempt itself is given up.
    pub(crate) fn traces(&self) -> impl Fn() -> Vec<Seen> + use<> {
        let (mark, number) = (self.mark.clone(), self.number);
        move || alive(&mark, number)
    }
}

/// Every living process that carries `mark`, and the guard of job `number`.
pub(crate) fn alive(mark: &str, number: i64) -> Vec<Seen> {
    let guard = format!("\0job\0{number}\0");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let entry = entry.unwrap();
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let file = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let text = |name: &str| String::from_utf8_lossy(&file(name)).into_owned();
        let command = text("cmdline");
        let is_guard = command.contains(&guard);
        if !is_guard && !command.contains(mark) && !text("environ").contains(mark) {
            continue;
        }
        let stat = text("stat");
        let Some((_, fields)) = stat.rsplit_once(") ") else {
            continue;
        };
        let mut fields = fields.split(' ');
        let state = fields.next().unwrap().chars().next().unwrap();
        let parent = fields.next().unwrap().parse().unwrap();
        if !matches!(state, 'Z' | 'X') {
            found.push(Seen {
                pid,
                parent,
                state,
                is_guard,
                command,
            });
        }
    }
    found
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Lets the executor's task, on the one thread of the test's runtime, see a change of its control.
pub(crate) async fn let_the_executor_act() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn kill(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Time since the machine was started, by which leases are counted, and so much more.
pub(crate) fn from_now(time: Duration) -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(
        now.tv_sec.try_into().unwrap(),
        now.tv_nsec.try_into().unwrap(),
    ) + time
}

/// A path in a fresh folder; the folder goes with the first value.
pub(crate) fn flag() -> (tempfile::TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flag");
    let text = path.to_str().unwrap().to_owned();
    (folder, path, text)
}
