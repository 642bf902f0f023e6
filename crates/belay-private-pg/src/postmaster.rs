//! The server's first process: started here, or found running from an earlier start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::error::Error;
use crate::lifeline::Lifeline;
use crate::os_user::OsUser;
use crate::{poll, processes};

/// How long a server may take to obey SIGQUIT or SIGKILL.
const HARD_STOP: Duration = Duration::from_secs(20);

/// A running postmaster.
#[derive(Debug)]
pub(crate) struct Postmaster {
    pid: i32,
    /// `None` when it was started by somebody else.
    child: Option<Child>,
    lifeline: Option<Lifeline>,
}

impl Postmaster {
    pub(crate) fn started(child: Child) -> Self {
        Self {
            pid: child.id().cast_signed(),
            child: Some(child),
            lifeline: None,
        }
    }

    /// From here on the server does not outlive this process.
    pub(crate) fn tie(&mut self, user: Option<&OsUser>) -> Result<(), Error> {
        self.lifeline = Some(Lifeline::tie(self.pid, user)?);
        Ok(())
    }

    pub(crate) fn found(pid: i32) -> Self {
        Self {
            pid,
            child: None,
            lifeline: None,
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// How it ended, or `None` while it runs.
    pub(crate) fn ended(&mut self) -> Option<String> {
        match &mut self.child {
            Some(child) => match child.try_wait() {
                Ok(None) => None,
                Ok(Some(status)) => Some(status.to_string()),
                Err(error) => Some(error.to_string()),
            },
            None => (!processes::is_alive(self.pid)).then(|| "it is gone".to_owned()),
        }
    }

    /// Sends `signal` and waits for the end. `Ok(false)`: it still runs after `timeout`.
    pub(crate) fn end(&mut self, signal: Signal, timeout: Duration) -> Result<bool, Error> {
        if self.ended().is_some() {
            return Ok(true);
        }
        if let Some(pid) = (self.pid > 0).then(|| Pid::from_raw(self.pid)).flatten() {
            match kill_process(pid, signal) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => {
                    return Err(Error::NotStopped {
                        pid: self.pid,
                        reason: format!("the signal was refused: {error}"),
                    });
                }
            }
        }
        poll::until(timeout, || Ok(self.ended())).map(|ended| ended.is_some())
    }

    /// Ends it without asking, keeping what is committed.
    pub(crate) fn end_hard(&mut self) -> Result<(), Error> {
        for signal in [Signal::QUIT, Signal::KILL] {
            if self.end(signal, HARD_STOP)? {
                return Ok(());
            }
        }
        Err(Error::NotStopped {
            pid: self.pid,
            reason: "it ignores SIGKILL, so the system must be waiting for its disk".to_owned(),
        })
    }
}

/// What `postmaster.pid` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PidFile {
    /// Negative for a server in single-user mode.
    pub(crate) pid: i32,
    pub(crate) port: Option<u16>,
    pub(crate) socket_dir: Option<PathBuf>,
    pub(crate) phase: Phase,
}

/// How far a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Reading its settings or recovering.
    Starting,
    Ready,
    Stopping,
}

impl PidFile {
    pub(crate) fn path(pgdata: &Path) -> PathBuf {
        pgdata.join("postmaster.pid")
    }

    /// `None` when there is none, or only an empty one left by a crash.
    pub(crate) fn read(pgdata: &Path) -> Result<Option<Self>, Error> {
        let path = Self::path(pgdata);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        Some(Self {
            pid: lines.first()?.parse().ok()?,
            port: lines.get(3).and_then(|line| line.parse().ok()),
            socket_dir: lines
                .get(4)
                .filter(|line| !line.is_empty())
                .map(PathBuf::from),
            phase: match lines.get(7).copied() {
                Some("ready" | "standby") => Phase::Ready,
                Some("stopping") => Phase::Stopping,
                _ => Phase::Starting,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_is_read_at_every_stage_of_a_start() {
        let full = "4711\n/srv/pg/pgdata\n1700000000\n5432\n/srv/pg/run\n\n 123 456\nready   \n";
        let parsed = PidFile::parse(full).unwrap();
        assert_eq!(parsed.pid, 4711);
        assert_eq!(parsed.port, Some(5432));
        assert_eq!(parsed.socket_dir, Some(PathBuf::from("/srv/pg/run")));
        assert_eq!(parsed.phase, Phase::Ready);
        let early = PidFile::parse("4711\n/srv/pg/pgdata\n1700000000\n5432\n").unwrap();
        assert_eq!((early.socket_dir, early.phase), (None, Phase::Starting));
        assert_eq!(PidFile::parse(""), None);
        assert_eq!(PidFile::parse("-12\n").unwrap().pid, -12);
    }
}
