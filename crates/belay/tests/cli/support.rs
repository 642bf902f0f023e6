//! A database, the program on it, and a worker that does what a test says.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use belay_core::db::{Db, DbConfig};
use belay_core::ops::{self, Claimed, KindSpec, Line, LineFloor, NewWorker, Report, Verdict};
use belay_testkit::TestDb;
use serde_json::Value;
use tempfile::TempDir;

/// A migrated database with two kinds, and a data directory of its own.
pub(crate) struct Cli {
    pub(crate) test: TestDb,
    pub(crate) db: Db,
    data: TempDir,
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    /// The exit code must be this.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// The program with an environment that holds nothing of the test's own.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
    command
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null());
    command
}

impl Cli {
    pub(crate) fn new() -> Self {
        let test = TestDb::new();
        let db = Db::new(DbConfig::new(test.url())).unwrap();
        let spec = |name: &str, can_suspend| KindSpec {
            name: name.into(),
            executor: "builtin".into(),
            queue: "default".into(),
            priority: 5,
            max_attempts: 3,
            timeout_s: None,
            can_suspend,
            ..KindSpec::new("", "")
        };
        db.tx(|conn| ops::register_kinds(conn, &[spec("noop", false), spec("work", true)]))
            .unwrap();
        Self {
            test,
            db,
            data: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn data_dir(&self) -> &OsStr {
        self.data.path().as_os_str()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = program(args);
        command
            .env("DATABASE_URL", self.test.url())
            .env("BELAY_DATA_DIR", self.data_dir());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.command(args).output().unwrap().into()
    }

    pub(crate) fn run_with_input(&self, args: &[&str], input: &str) -> Run {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// Starts the program and lets it run.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Enqueues and answers the number.
    pub(crate) fn enqueue(&self, args: &[&str]) -> i64 {
        let args = [&["enqueue", "--json"], args].concat();
        self.run(&args).exits(0).json()["id"].as_i64().unwrap()
    }

    /// A worker that lives for the whole test.
    pub(crate) fn worker(&self) -> Hand {
        let worker = NewWorker {
            name: "hand".into(),
            host: "test".into(),
            pid: 1,
            version: "0".into(),
            queues: None,
            kinds: vec!["work".into(), "noop".into()],
            slots: 4,
            lease: Duration::from_secs(3600),
        };
        Hand {
            id: self.db.tx(|conn| ops::register(conn, &worker)).unwrap(),
            db: self.db.clone(),
        }
    }
}

/// A worker moved by hand.
pub(crate) struct Hand {
    pub(crate) id: i64,
    db: Db,
}

impl Hand {
    /// Claims the next job of the kind `work`.
    pub(crate) fn claim(&self) -> Claimed {
        let line = Line {
            queue: "default".into(),
            kind: "work".into(),
            priority: 5,
        };
        self.db
            .tx(|conn| {
                let lines = [LineFloor {
                    line: line.clone(),
                    floor: 0,
                }];
                ops::claim(conn, self.id, &lines, 1)
            })
            .unwrap()
            .pop()
            .unwrap()
    }

    pub(crate) fn report(&self, job: &Claimed, verdict: Verdict) {
        let report = Report {
            id: job.id,
            fence: job.fence,
            verdict,
        };
        self.db
            .tx(|conn| ops::settle(conn, self.id, std::slice::from_ref(&report)))
            .unwrap();
    }

    pub(crate) fn complete(&self, job: &Claimed) {
        self.report(job, Verdict::Completed);
    }

    pub(crate) fn fail(&self, job: &Claimed, error: &str) {
        let verdict = Verdict::Failed {
            error: error.into(),
            delay_s: 0.0,
            retry: false,
        };
        self.report(job, verdict);
    }
}
