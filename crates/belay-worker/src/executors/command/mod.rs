//! The `command` executor: runs a program for one attempt, and stops it so that nothing is left behind.
//!
//! The program is given as an argument vector and never goes through a shell. It runs under a small
//! supervisor process of its own, the [`guard`]:
//!
//! ```text
//! belay ── Unix socket ── guard ──┬─ program ── children ── ..
//!   └──── pipes: stdin, stdout, stderr, progress ──┘  └─ orphans come back to the guard
//! ```
//!
//! # What the program gets
//! - Standard input: the payload, exactly as stored, then end of file. A program that does not read it is
//!   left alone.
//! - The environment: `PATH`, `HOME`, `LANG`, `LC_*` and `TZ` of the daemon, the kind's `env`, and
//!   `BELAY_JOB_ID`, `BELAY_JOB_UID`, `BELAY_TENANT`, `BELAY_QUEUE`, `BELAY_KIND`, `BELAY_ATTEMPT`,
//!   `BELAY_MAX_ATTEMPTS`, `BELAY_FENCE`, `BELAY_RUN` (a word that names this run on this machine) and
//!   `BELAY_PROGRESS_FD`; what `pass_env` names; with `user` that user's `HOME`, `USER` and `LOGNAME`. Nothing else.
//! - File descriptor 3 (named in `BELAY_PROGRESS_FD`): lines `3/10 words for the reader` written to it
//!   become the job's progress, with or without the word `BELAY_PROGRESS` before them.
//! - The user, group, umask and limits of the kind, those of the daemon unless it names some.
//! - The working directory of the kind, `/` unless it names one.
//! - A session and process group of its own, default signal dispositions, nothing blocked, and no
//!   descriptor besides 0 to 3.
//!
//! # How it ends
//! - Exit code 0 completes the job, every other code and every signal fails it and may be retried. A
//!   program that cannot be started fails it for good.
//! - Once the program has ended by itself, whatever it left running is killed at once: its result is in.
//! - A stop sends TERM (then CONT) to the whole tree, and KILL when something of it still lives after the
//!   grace period. Children that outlive the program during a stop keep the rest of the grace period.
//! - A kill, the end of the daemon, and a lost guard kill the whole tree at once.
//! - The attempt is over when the kernel tells the guard that it has no child left (`ECHILD`). As the guard
//!   is the subreaper of the tree, this covers children that left the process group or lost their parent.
//!
//! # Limits
//! Processes that the daemon may not signal (a job of an unprivileged daemon that became another user
//! through `sudo`) and processes that the kernel cannot end (uninterruptible I/O) keep the attempt running;
//! the log names them. If a guard is killed with KILL, its program dies with it; what had moved to another
//! process group is found by `BELAY_RUN` in its environment, and killed.

pub(super) mod account;
pub(crate) mod capture;
mod confinement;
mod environment;
pub mod guard;
mod launch;
mod limits;
mod lost;
mod order;
mod outcome;
mod procfs;
mod progress;
mod run;
mod settings;
mod streams;
mod wire;

use std::sync::{Arc, OnceLock};

use super::{Attempt, Executor, Finish, Running};
use account::Account;
pub use limits::Limits;
pub use settings::{CommandSettings, SettingsError};

/// Runs the program of one kind of job.
#[derive(Debug, Clone)]
pub struct CommandExecutor {
    settings: Arc<CommandSettings>,
    /// Who the program runs as, once that was looked up.
    account: Arc<OnceLock<Option<Account>>>,
}

impl CommandExecutor {
    /// Checks `settings` and takes them over.
    ///
    /// # Errors
    /// When a setting can never work: an empty argument vector, a NUL byte, a variable name that is not one
    /// or is reserved, a relative working directory, a limit out of range.
    pub fn new(settings: CommandSettings) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self {
            settings: Arc::new(settings),
            account: Arc::default(),
        })
    }
}

impl CommandExecutor {
    /// Who the program runs as: looked up once, and again only after a failure.
    fn account(&self) -> Result<Option<Account>, String> {
        if let Some(known) = self.account.get() {
            return Ok(known.clone());
        }
        let found = account::look_up(
            self.settings.user.as_deref(),
            self.settings.group.as_deref(),
        )?;
        Ok(self.account.get_or_init(|| found).clone())
    }
}

impl Executor for CommandExecutor {
    fn run(&self, attempt: Attempt) -> Running {
        let account = match self.account() {
            Ok(account) => account,
            Err(error) => {
                let refused = Finish::Failed {
                    error,
                    retry: false,
                };
                return Box::pin(std::future::ready(refused));
            }
        };
        Box::pin(run::run(Arc::clone(&self.settings), account, attempt))
    }

    fn prepare(&self) -> Result<(), String> {
        self.account().map(drop)
    }

    fn can_suspend(&self) -> bool {
        true
    }

    fn grace(&self) -> Option<std::time::Duration> {
        Some(self.settings.grace)
    }
}
