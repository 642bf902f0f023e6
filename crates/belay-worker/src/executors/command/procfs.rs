//! What `/proc` tells about a process, and a way to signal exactly that process.

use std::fs::{self, File};
use std::io::{self, Read};

use rustix::process::{Pid, PidfdFlags, Signal};

/// One process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    /// State letter as in `ps`.
    pub(super) state: u8,
    /// Start time in clock ticks since boot. With the process id it names a process for good.
    pub(super) started: u64,
}

impl Process {
    /// Reads one process; `None` when there is none of that number (any more).
    pub(super) fn read(pid: i32) -> Option<Self> {
        let mut buffer = [0; 1024];
        let mut file = File::open(format!("/proc/{pid}/stat")).ok()?;
        let length = file.read(&mut buffer).ok()?;
        Self::parse(buffer.get(..length)?)
    }

    /// Parses a line of `stat`. The name in parentheses may itself hold parentheses, spaces and newlines.
    fn parse(stat: &[u8]) -> Option<Self> {
        let open = stat.iter().position(|byte| *byte == b'(')?;
        let close = stat.iter().rposition(|byte| *byte == b')')?;
        let pid = std::str::from_utf8(stat.get(..open)?).ok()?;
        let fields = std::str::from_utf8(stat.get(close + 1..)?).ok()?;
        let mut fields = fields.split_ascii_whitespace();
        Some(Self {
            pid: pid.trim().parse().ok()?,
            state: *fields.next()?.as_bytes().first()?,
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
            // Field 22 of the line; the three above were 3 to 5.
            started: fields.nth(16)?.parse().ok()?,
        })
    }

    /// Whether the process has ended and only waits to be collected.
    pub(super) fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Whether the process cannot run: stopped, traced or dead.
    pub(super) fn is_still(&self) -> bool {
        self.is_dead() || matches!(self.state, b'T' | b't')
    }

    /// Whether this process still exists.
    fn is_same_now(&self) -> bool {
        Self::read(self.pid).is_some_and(|now| now.started == self.started)
    }

    /// Whether this process waits, within the system, for one of `others` that stands still. The parent of a
    /// `vfork` does until its child has executed a program, and cannot be stopped before.
    pub(super) fn waits_for_still_child(&self, others: &[Self]) -> bool {
        let is_still_child = |other: &Self| other.parent == self.pid && other.is_still();
        self.state == b'D' && others.iter().any(is_still_child)
    }

    /// Sends `signal` to this process, and to no other that has got its number since. A process that has
    /// ended, and one that may not be signalled, is left alone: callers look again anyway.
    pub(super) fn signal(&self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return;
        };
        match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            // From here on the descriptor stands for one process, so the check cannot grow stale.
            Ok(handle) => {
                if self.is_same_now() {
                    let _ = rustix::process::pidfd_send_signal(&handle, signal);
                }
            }
            // It is gone.
            Err(rustix::io::Errno::SRCH) => {}
            // No such call in this kernel (before 5.3), or no descriptor left: the check is then the best
            // there is.
            Err(_) => {
                if self.is_same_now() {
                    let _ = rustix::process::kill_process(pid, signal);
                }
            }
        }
    }
}

/// Numbers of all processes on the machine that `/proc` shows.
pub(super) fn all_pids() -> io::Result<Vec<i32>> {
    Ok(fs::read_dir("/proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_itself() {
        let me = Process::read(i32::try_from(std::process::id()).unwrap()).unwrap();
        let parent = i32::try_from(std::os::unix::process::parent_id()).unwrap();
        assert_eq!(me.parent, parent);
        assert!(!me.is_still());
        assert!(me.started > 0);
        assert!(all_pids().unwrap().contains(&me.pid));
    }

    #[test]
    fn a_name_cannot_forge_fields() {
        let line = b"7 (a) Z 1 1 (b\n) S 3 4 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 999 1 1";
        let process = Process::parse(line).unwrap();
        assert_eq!(
            process,
            Process {
                pid: 7,
                parent: 3,
                group: 4,
                state: b'S',
                started: 999
            }
        );
    }

    #[test]
    fn a_vfork_with_a_stopped_child_counts_as_waiting() {
        let process = |pid, parent, state| Process {
            pid,
            parent,
            group: 1,
            state,
            started: 1,
        };
        let parent = process(1, 0, b'D');
        assert!(parent.waits_for_still_child(&[parent, process(2, 1, b'T')]));
        assert!(!parent.waits_for_still_child(&[parent, process(2, 1, b'R')]));
        assert!(!parent.waits_for_still_child(&[parent, process(2, 9, b'T')]));
        assert!(!process(1, 0, b'S').waits_for_still_child(&[process(2, 1, b'T')]));
    }

    #[test]
    fn a_reused_number_is_not_signalled() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let process = Process::read(i32::try_from(child.id()).unwrap()).unwrap();
        let other = Process {
            started: process.started + 1,
            ..process
        };
        other.signal(Signal::KILL);
        assert!(process.is_same_now());
        process.signal(Signal::TERM);
        let status = child.wait().unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(15)
        );
    }
}
