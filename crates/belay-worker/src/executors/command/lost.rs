//! What is left to do when a guard was killed: find its processes by the mark in their environment.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::environment::RUN;
use super::procfs::{Process, all_pids};

/// Pause between two searches: from, doubling, up to.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// Kills the process group of the program, and everything that carries the mark of `run`; returns when
/// nothing is found any more. Blocks.
///
/// Out of reach is what has both left the group and emptied its environment.
pub(super) fn kill_all(run: &str, program: Option<Pid>) {
    if let Some(program) = program {
        // The program died with its guard a moment ago. Its number is not taken again while a member of
        // its group lives, and numbers are not handed out anew that soon.
        let _ = rustix::process::kill_process_group(program, Signal::KILL);
    }
    let mark = format!("{RUN}={run}");
    let mut pause = PAUSE.0;
    loop {
        let found = marked(mark.as_bytes());
        if found.is_empty() {
            return;
        }
        for process in &found {
            process.signal(Signal::STOP);
        }
        for process in found {
            process.signal(Signal::KILL);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE.1);
    }
}

fn marked(mark: &[u8]) -> Vec<Process> {
    let has_mark = |pid: &i32| {
        fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == mark))
    };
    all_pids()
        .unwrap_or_default()
        .into_iter()
        // The number may change hands between the two reads, so the mark is read again after it is pinned.
        .filter(has_mark)
        .filter_map(Process::read)
        .filter(|process| has_mark(&process.pid))
        .collect()
}
