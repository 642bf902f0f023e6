//! From how a program ended to what the job's reader is told.

use super::super::{Finish, Rung};
use super::wire::{CannotStart, Ended};

/// Longest piece of the program's own words in an error, in characters.
const MAX_QUOTE: usize = 200;

/// The result of an attempt whose program ran and ended. `stderr` is the kept end of its standard error.
pub(super) fn of_end(ended: &Ended, stderr: &str) -> Finish {
    if let Some(rung) = ended.rung {
        return Finish::Stopped { rung: rung.into() };
    }
    let error = match (ended.code, ended.signal) {
        (Some(0), _) => return Finish::Completed,
        (Some(code), _) => with_quote(&format!("exited with code {code}"), stderr),
        (None, Some(signal)) => format!("killed by signal {}", signal_name(signal)),
        (None, None) => "ended in a way that the system did not tell".to_owned(),
    };
    Finish::Failed { error, retry: true }
}

/// The result of an attempt whose program could not be started.
pub(super) fn of_refusal(refused: &CannotStart, program: &str, cwd: &str) -> Finish {
    let CannotStart {
        in_directory,
        errno,
        message,
    } = refused;
    let retry = errno.is_some_and(is_passing);
    let error = if *in_directory {
        format!("cannot enter the working directory {cwd:?}: {message}")
    } else if *errno == Some(libc::ENOENT) && !program.contains('/') {
        format!("cannot start program {program:?}: no such program in PATH")
    } else if *errno == Some(libc::ENOENT) {
        format!(
            "cannot start program {program:?}: {message} (the file itself, or the interpreter that its first line names)"
        )
    } else {
        format!("cannot start program {program:?}: {message}")
    };
    Finish::Failed { error, retry }
}

/// `head`, and after it the last line the program wrote to standard error, if there is one.
pub(super) fn with_quote(head: &str, stderr: &str) -> String {
    match stderr.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        Some(line) => {
            let quote: String = line.chars().take(MAX_QUOTE).collect();
            format!("{head}: {quote}")
        }
        None => head.to_owned(),
    }
}

/// Whether the machine was short of something, so that a later attempt may do better.
fn is_passing(errno: i32) -> bool {
    matches!(
        errno,
        libc::EAGAIN
            | libc::ENOMEM
            | libc::EMFILE
            | libc::ENFILE
            | libc::ETXTBSY
            | libc::EINTR
            | libc::EIO
            | libc::ESTALE
    )
}

/// `9 (SIGKILL)`; only the number where Linux has no name for it.
pub(super) fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "HUP",
        libc::SIGINT => "INT",
        libc::SIGQUIT => "QUIT",
        libc::SIGILL => "ILL",
        libc::SIGTRAP => "TRAP",
        libc::SIGABRT => "ABRT",
        libc::SIGBUS => "BUS",
        libc::SIGFPE => "FPE",
        libc::SIGKILL => "KILL",
        libc::SIGUSR1 => "USR1",
        libc::SIGSEGV => "SEGV",
        libc::SIGUSR2 => "USR2",
        libc::SIGPIPE => "PIPE",
        libc::SIGALRM => "ALRM",
        libc::SIGTERM => "TERM",
        libc::SIGSTKFLT => "STKFLT",
        libc::SIGVTALRM => "VTALRM",
        libc::SIGPROF => "PROF",
        libc::SIGXCPU => "XCPU",
        libc::SIGXFSZ => "XFSZ",
        libc::SIGIO => "IO",
        libc::SIGPWR => "PWR",
        libc::SIGSYS => "SYS",
        _ => return signal.to_string(),
    };
    format!("{signal} (SIG{name})")
}

impl From<super::wire::Force> for Rung {
    fn from(force: super::wire::Force) -> Self {
        match force {
            super::wire::Force::Term => Self::Term,
            super::wire::Force::Kill => Self::Kill,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executors::command::wire::Force;

    fn ended(code: Option<i32>, signal: Option<i32>, rung: Option<Force>) -> Ended {
        Ended {
            code,
            signal,
            rung,
            killed: 0,
        }
    }

    fn failed(error: &str, retry: bool) -> Finish {
        Finish::Failed {
            error: error.to_owned(),
            retry,
        }
    }

    #[test]
    fn ends_are_told_in_one_line() {
        let long = "x".repeat(300);
        for (end, stderr, expected) in [
            (ended(Some(0), None, None), "noise", Finish::Completed),
            (
                ended(Some(3), None, None),
                "first\nlast one \n\n",
                failed("exited with code 3: last one", true),
            ),
            (
                ended(Some(3), None, None),
                " \n",
                failed("exited with code 3", true),
            ),
            (
                ended(Some(1), None, None),
                &long,
                failed(&format!("exited with code 1: {}", "x".repeat(200)), true),
            ),
            (
                ended(None, Some(9), None),
                "noise",
                failed("killed by signal 9 (SIGKILL)", true),
            ),
            (
                ended(None, Some(40), None),
                "",
                failed("killed by signal 40", true),
            ),
            (
                ended(Some(0), None, Some(Force::Term)),
                "",
                Finish::Stopped { rung: Rung::Term },
            ),
            (
                ended(None, Some(9), Some(Force::Kill)),
                "",
                Finish::Stopped { rung: Rung::Kill },
            ),
        ] {
            assert_eq!(of_end(&end, stderr), expected, "{end:?}");
        }
    }

    #[test]
    fn refusals_name_the_program_and_the_cause() {
        let refusal = |in_directory, errno, program: &str| {
            let refused = CannotStart {
                in_directory,
                errno,
                message: "cause".to_owned(),
            };
            of_refusal(&refused, program, "/nowhere")
        };
        for (actual, expected) in [
            (
                refusal(false, Some(libc::ENOENT), "nope"),
                failed(
                    "cannot start program \"nope\": no such program in PATH",
                    false,
                ),
            ),
            (
                refusal(false, Some(libc::EACCES), "/x"),
                failed("cannot start program \"/x\": cause", false),
            ),
            (
                refusal(false, Some(libc::EAGAIN), "/x"),
                failed("cannot start program \"/x\": cause", true),
            ),
            (
                refusal(true, Some(libc::ENOENT), "/x"),
                failed(
                    "cannot enter the working directory \"/nowhere\": cause",
                    false,
                ),
            ),
            (
                refusal(false, None, "/x"),
                failed("cannot start program \"/x\": cause", false),
            ),
        ] {
            assert_eq!(actual, expected);
        }
    }
}
