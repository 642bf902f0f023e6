//! What the operating system knows about server processes.
//!
//! On Linux a process can be recognised as a server of one data directory by its program and working directory. Elsewhere
//! only the process number is known, and PostgreSQL's own check at start has the last word.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::poll;

/// Whether the number is taken: by a running process of any user, or by one that ended and was not collected yet.
pub(crate) fn exists(pid: i32) -> bool {
    // Zero and negative numbers would mean process groups.
    let Some(raw) = (pid > 0).then(|| Pid::from_raw(pid)).flatten() else {
        return false;
    };
    matches!(
        test_kill_process(raw),
        Ok(()) | Err(rustix::io::Errno::PERM)
    )
}

/// Whether the process exists and has not ended.
pub(crate) fn is_alive(pid: i32) -> bool {
    exists(pid) && !is_zombie(pid)
}

/// Whether the process has ended but nobody has collected it yet, which in a container may be never.
fn is_zombie(pid: i32) -> bool {
    // The state follows the program's name, which is in parentheses and may contain anything.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| {
            stat.rsplit_once(')')
                .map(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
        })
        .unwrap_or(false)
}

/// Whether the process is a PostgreSQL server on this data directory. `None`: this system does not say.
pub(crate) fn serves(pid: i32, pgdata: &Path) -> Option<bool> {
    if !Path::new("/proc/self/cwd").exists() {
        return None;
    }
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).ok();
    let works_here = link("cwd").is_some_and(|cwd| cwd == pgdata);
    // The name gets " (deleted)" behind it when the program was upgraded under the running process.
    let is_server = link("exe").is_some_and(|exe| {
        exe.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("postgres"))
    });
    Some(works_here && is_server)
}

/// Ends server processes that outlived their postmaster: with any of them alive no new server may start. Nothing is lost by
/// it: what they committed is in the write-ahead log, and what they did not commit nobody was told to be done.
pub(crate) fn end_orphans(pgdata: &Path) {
    for (signal, patience) in [
        (Signal::QUIT, Duration::from_secs(5)),
        (Signal::KILL, Duration::from_secs(5)),
    ] {
        let orphans = servers_on(pgdata);
        if orphans.is_empty() {
            return;
        }
        tracing::info!(?orphans, "ending server processes without a postmaster");
        for pid in orphans {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = kill_process(pid, signal);
            }
        }
        let gone: Result<_, std::convert::Infallible> =
            poll::until(patience, || Ok(servers_on(pgdata).is_empty().then_some(())));
        if matches!(gone, Ok(Some(()))) {
            return;
        }
    }
}

fn servers_on(pgdata: &Path) -> Vec<i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| serves(*pid, pgdata) == Some(true) && is_alive(*pid))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_process_is_not_alive_even_before_it_is_collected() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let ended: Result<_, std::convert::Infallible> =
            poll::until(Duration::from_secs(10), || {
                Ok((!is_alive(pid)).then_some(()))
            });
        assert_eq!(ended, Ok(Some(())));
        child.wait().unwrap();
        assert!(!is_alive(pid));
        assert!(!is_alive(0));
        assert!(!is_alive(-1));
    }

    #[test]
    fn a_process_that_is_not_a_server_is_told_apart_by_its_program() {
        let here = std::env::current_dir().unwrap();
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(is_alive(me));
        assert_ne!(serves(me, &here), Some(true));
    }
}
