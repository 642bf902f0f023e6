//! The guard: a process of its own around the program of one attempt, so that stopping the attempt stops
//! everything the program has started.
//!
//! It is the *subreaper* of its descendants: a process whose parent dies becomes the guard's child, however
//! often it forked and whatever session it is in. So as long as the kernel knows of a child, something is
//! left, and when `waitpid` answers `ECHILD`, nothing is.
//!
//! Its standard input is a Unix socket to the daemon, over which it gets the program and its descriptors,
//! then orders, and over which it reports. When the socket ends, the daemon is gone, and the guard kills
//! the tree. It blocks every signal that can be blocked, as a Ctrl-C at a terminal is for the daemon to
//! decide on, and it leaves alone everything costly: it starts once per attempt.

mod child;
mod signals;
mod tree;
mod watch;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;

use super::wire::{self, Report};

/// Runs the guard and returns when nothing of its program is left.
///
/// A program whose executor uses the default `guard` setting must call this first thing in `main` when its
/// first argument is `guard`: before it starts a thread, opens a file or parses arguments. Further
/// arguments only tell the reader of a process list which job it is.
#[must_use]
pub fn main() -> ExitCode {
    let stdin = io::stdin();
    match guard(stdin.as_fd()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is that of the attempt, so the reader of the job gets to see this.
            eprintln!("belay guard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn guard(socket: BorrowedFd<'_>) -> io::Result<()> {
    if rustix::net::sockopt::socket_domain(socket) != Ok(rustix::net::AddressFamily::UNIX) {
        return Err(io::Error::other(
            "this command is started by the daemon for each attempt, and is of no use by hand",
        ));
    }
    signals::shield()?;
    signals::close_inherited();
    // Started as /proc/self/exe it would be listed under the name "exe".
    let _ = rustix::thread::set_name(c"belay-guard");
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let Some((program, fds)) = wire::receive(socket)? else {
        return Ok(());
    };
    let started = match child::start(&program, fds) {
        Ok(pid) => pid,
        Err(refused) => return report(socket, &Report::CannotStart(refused)),
    };
    // A daemon that is gone by now is noticed by the watch as well.
    let _ = report(socket, &Report::Started(started.as_raw_pid()));
    let ended = watch::Watch::new(socket, started)?.until_nothing_is_left()?;
    report(socket, &Report::Ended(ended))
}

fn report(socket: BorrowedFd<'_>, report: &Report) -> io::Result<()> {
    let line = report.to_line()?;
    let mut rest = line.as_slice();
    while !rest.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(socket, rest))?;
        rest = rest.get(written..).unwrap_or_default();
    }
    Ok(())
}
