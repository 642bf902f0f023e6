//! A worker of the suite as a process.

use std::fs;
use std::process::{Child, ExitStatus, Stdio};

use belay_testkit::eventually;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::LONG;
use crate::daemon::Daemon;
use crate::language::Language;

/// How a program is to work.
pub(crate) struct Options {
    pub(crate) slots: u32,
    pub(crate) lease_s: u32,
    pub(crate) drain_s: f64,
    pub(crate) events: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            slots: 4,
            lease_s: 15,
            drain_s: 30.0,
            events: true,
        }
    }
}

/// Killed with the value.
pub(crate) struct Program {
    child: Child,
    dir: TempDir,
}

impl Program {
    /// Starts it and waits until it is registered.
    pub(crate) fn start(language: Language, daemon: &Daemon, options: &Options) -> Self {
        Self::start_at(&daemon.url(), language, daemon, options)
    }

    /// As [`Program::start`], for a worker that reaches the daemon at this URL.
    pub(crate) fn start_at(
        url: &str,
        language: Language,
        daemon: &Daemon,
        options: &Options,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let child = language
            .command()
            .env("BELAY_URL", url)
            .env("BELAY_KEY", daemon.worker_key())
            .env("CONF_SLOTS", options.slots.to_string())
            .env("CONF_LEASE_S", options.lease_s.to_string())
            .env("CONF_DRAIN_S", options.drain_s.to_string())
            .env("CONF_EVENTS", if options.events { "1" } else { "0" })
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut program = Self { child, dir };
        eventually(LONG, || {
            assert!(
                program.child.try_wait().unwrap().is_none(),
                "the worker ended"
            );
            program.registrations(daemon).first().map(|_| ())
        });
        program
    }

    /// Numbers of the workers that it has registered, oldest first.
    pub(crate) fn registrations(&self, daemon: &Daemon) -> Vec<i64> {
        let workers = daemon.workers();
        let mine = workers
            .iter()
            .filter(|worker| worker["pid"] == self.child.id());
        mine.map(|worker| worker["id"].as_i64().unwrap()).collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn kill_9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        eventually(LONG, || self.child.try_wait().unwrap())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the worker\n{}", self.log());
        }
    }
}
