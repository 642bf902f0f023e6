//! Starts the guard of one attempt and hands it the program.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::process::Child;

use super::super::Attempt;
use super::account::Account;
use super::confinement::Confinement;
use super::environment;
use super::settings::{CommandSettings, THIS_PROGRAM};
use super::wire::{self, Program, ProgramFds};

/// A running guard and the daemon's ends of everything that leads to it. Dropping the socket makes the
/// guard kill its tree.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) guard: Child,
    pub(super) socket: UnixStream,
    /// What the socket did not take of the first message.
    pub(super) unsent: Vec<u8>,
    pub(super) stdin: pipe::Sender,
    pub(super) stdout: pipe::Receiver,
    pub(super) stderr: pipe::Receiver,
    pub(super) progress: pipe::Receiver,
}

/// The working directory of a kind's programs.
pub(super) fn working_directory(settings: &CommandSettings) -> &Path {
    settings.cwd.as_deref().unwrap_or(Path::new("/"))
}

/// Starts the guard for `attempt`; the program itself may still turn out not to start.
///
/// The guard gets one socket as its standard input, and the program's pipes *over* that socket. So every
/// descriptor of this process stays close-on-exec at all times, and a process started at the same moment
/// by another thread cannot inherit an end of this attempt's socket or pipes, which would keep it from
/// ending.
pub(super) fn launch(
    settings: &CommandSettings,
    account: Option<&Account>,
    attempt: &Attempt,
    run: &str,
) -> Result<Launched, String> {
    let resources =
        |error: io::Error| format!("cannot open the pipes of the program, try later: {error}");
    let (socket, guard_socket) = StdStream::pair().map_err(resources)?;
    let (program_stdin, stdin) = io::pipe().map_err(resources)?;
    let (stdout, program_stdout) = io::pipe().map_err(resources)?;
    let (stderr, program_stderr) = io::pipe().map_err(resources)?;
    let (progress, program_progress) = io::pipe().map_err(resources)?;

    let mut message = Program {
        argv: settings.argv.iter().map(Into::into).collect(),
        env: environment::build(std::env::vars_os(), settings, account, attempt, run)
            .into_iter()
            .collect(),
        cwd: working_directory(settings).to_owned(),
        confinement: confinement(settings, account),
    }
    .encode()
    .map_err(|error| format!("cannot hand the program to its guard: {error}"))?;
    let fds = ProgramFds {
        progress: program_progress.as_fd(),
        stdin: program_stdin.as_fd(),
        stdout: program_stdout.as_fd(),
        stderr: program_stderr.as_fd(),
    };
    let sent = wire::send(socket.as_fd(), &message, &fds)
        .map_err(|error| format!("cannot hand the program to its guard: {error}"))?;
    message.drain(..sent);

    socket.set_nonblocking(true).map_err(resources)?;
    let socket = UnixStream::from_std(socket).map_err(resources)?;
    let stdin = pipe::Sender::from_owned_fd(stdin.into()).map_err(resources)?;
    let receiver = |fd: OwnedFd| pipe::Receiver::from_owned_fd(fd).map_err(resources);
    let (stdout, stderr, progress) = (
        receiver(stdout.into())?,
        receiver(stderr.into())?,
        receiver(progress.into())?,
    );
    let guard = start_guard(settings, attempt, guard_socket, program_stderr.into())?;
    Ok(Launched {
        guard,
        socket,
        unsent: message,
        stdin,
        stdout,
        stderr,
        progress,
    })
}

fn confinement(settings: &CommandSettings, account: Option<&Account>) -> Confinement {
    let mut confinement = Confinement {
        umask: settings.umask,
        limits: settings.limits,
        account: None,
        no_new_privileges: settings.no_new_privileges,
    };
    if let Some(account) = account {
        confinement.as_user(account);
    }
    confinement
}

fn start_guard(
    settings: &CommandSettings,
    attempt: &Attempt,
    socket: StdStream,
    stderr: OwnedFd,
) -> Result<Child, String> {
    let (program, arguments) = settings
        .guard
        .split_first()
        .ok_or("the setting `guard` is empty")?;
    let mut command = Command::new(program);
    if program == THIS_PROGRAM
        && let Ok(path) = std::env::current_exe()
    {
        // Only for the reader of a process list.
        command.arg0(path);
    }
    command
        .args(arguments)
        .args([OsStr::new("job"), attempt.job.to_string().as_ref()])
        .args(["kind", &attempt.kind])
        .env_clear()
        .stdin(OwnedFd::from(socket))
        .stdout(Stdio::null())
        // A guard that cannot even start (a library is missing) says so here, and the job's reader sees it.
        .stderr(stderr)
        // A Ctrl-C at the daemon's terminal is for the daemon alone. No `pre_exec` here: without it the
        // standard library need not fork this large process.
        .process_group(0);
    tokio::process::Command::from(command)
        .spawn()
        .map_err(|error| format!("cannot start the guard process {program:?}: {error}"))
}
