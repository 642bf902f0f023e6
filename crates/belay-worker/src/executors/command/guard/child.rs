//! Starts the program.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::io::FdFlags;
use rustix::process::{Pid, Signal};

use super::super::wire::{CannotStart, Program, ProgramFds};
use super::signals;

/// The number under which the program finds its progress descriptor.
const PROGRESS_FD: i32 = 3;

/// Starts `program` as a child in a session of its own. Returns once it has been executed, with all its
/// descriptors closed here.
pub(super) fn start(program: &Program, fds: ProgramFds<OwnedFd>) -> Result<Pid, CannotStart> {
    std::env::set_current_dir(&program.cwd).map_err(|error| refused(true, &error))?;
    spawn(program, fds).map_err(|error| refused(false, &error))
}

fn refused(in_directory: bool, error: &io::Error) -> CannotStart {
    CannotStart {
        in_directory,
        errno: error.raw_os_error(),
        message: error.to_string(),
    }
}

fn spawn(program: &Program, fds: ProgramFds<OwnedFd>) -> io::Result<Pid> {
    let progress = at_its_number(fds.progress)?;
    let (name, arguments) = program
        .argv
        .split_first()
        .ok_or_else(|| io::Error::other("no program was named"))?;
    let mut command = Command::new(name);
    command
        .args(arguments)
        .env_clear()
        .envs(program.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::from(fds.stdin))
        .stdout(Stdio::from(fds.stdout))
        .stderr(Stdio::from(fds.stderr));
    let guard = rustix::process::getpid();
    let confinement = program.confinement.clone();
    let groups = confinement.groups();
    let in_child = move || {
        rustix::process::setsid()?;
        confinement.apply(&groups)?;
        // After the change of user, which takes this back.
        // If somebody kills the guard itself, the program must not outlive it.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if rustix::process::getppid() != Some(guard) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        rustix::io::fcntl_setfd(&progress, FdFlags::empty())?;
        signals::unblock()
    };
    #[expect(unsafe_code, reason = "only the child itself can do these things")]
    // SAFETY: the guard has one thread, and the closure only makes system calls: no allocation, no lock.
    unsafe {
        command.pre_exec(in_child);
    }
    let child = command.spawn()?;
    // The program is collected together with all other descendants, by number.
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("the system gave no process id"))
}

/// Moves the descriptor to number 3. There it also keeps the number from the pipe through which a failed
/// exec is reported, which would otherwise be overwritten in the child.
fn at_its_number(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() == PROGRESS_FD {
        return Ok(fd);
    }
    let moved = rustix::io::fcntl_dupfd_cloexec(&fd, PROGRESS_FD)?;
    if moved.as_raw_fd() == PROGRESS_FD {
        Ok(moved)
    } else {
        Err(io::Error::other("descriptor 3 is taken in the guard"))
    }
}
