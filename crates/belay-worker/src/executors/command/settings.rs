//! What an operator sets for a kind of job that runs a command.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::limits::Limits;

/// The program of the running process itself, also after its file was replaced or deleted.
pub(super) const THIS_PROGRAM: &str = "/proc/self/exe";

/// Settings of one kind. [`CommandSettings::new`] fills in the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSettings {
    /// The program and its arguments. A name without `/` is looked up in the `PATH` that the program gets;
    /// a relative path starts at the working directory.
    pub argv: Vec<String>,
    /// Variables added to the program's environment. They win over those of the daemon; names that begin
    /// with `BELAY_` are reserved.
    pub env: BTreeMap<String, String>,
    /// Working directory, absolute; `/` by default, because it always exists and keeps no mount busy.
    pub cwd: Option<PathBuf>,
    /// Time between TERM and KILL, 0 s (kill at once) to 7 days; 10 s by default.
    pub grace: Duration,
    /// How many of the last bytes of each output stream are kept, 0 to 16 MiB; 64 KiB by default.
    pub output_limit: usize,
    /// Further variables of the daemon that are passed on, by name. None by default. `DATABASE_URL` and names that begin with `BELAY_` are
    /// refused.
    pub pass_env: Vec<String>,
    /// Permissions that files made by the program do not get, 0 to 0o777; that of the daemon by default.
    pub umask: Option<u32>,
    /// The user that the program runs as, by name or number, with all groups of that user; that of the daemon by default. Only a
    /// daemon that runs as root can change it. The environment then has that user's `HOME`, `USER` and `LOGNAME`.
    pub user: Option<String>,
    /// The group, by name or number; the user's first one by default.
    pub group: Option<String>,
    /// Limits that the kernel enforces.
    pub limits: Limits,
    /// Whether the program and whatever it starts can never gain rights, by `sudo` or a file with the set-user-ID bit for example;
    /// `false` by default.
    pub no_new_privileges: bool,
    /// How to start the guard: a program and its first arguments. By default this very program with the
    /// argument `guard`, which its `main` must hand to [`guard::main`](super::guard::main).
    pub guard: Vec<OsString>,
}

impl CommandSettings {
    /// Longest accepted grace period.
    pub const MAX_GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    /// Largest accepted output limit, in bytes.
    pub const MAX_OUTPUT_LIMIT: usize = 16 * 1024 * 1024;

    /// Settings that run `argv` with the defaults for everything else.
    #[must_use]
    pub fn new(argv: Vec<String>) -> Self {
        Self {
            argv,
            env: BTreeMap::new(),
            cwd: None,
            grace: Duration::from_secs(10),
            output_limit: 64 * 1024,
            pass_env: Vec::new(),
            umask: None,
            user: None,
            group: None,
            limits: Limits::default(),
            no_new_privileges: false,
            guard: vec![THIS_PROGRAM.into(), "guard".into()],
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if self.argv.first().is_none_or(String::is_empty) {
            return Err(SettingsError::NoProgram);
        }
        if let Some(argument) = self.argv.iter().find(|a| a.contains('\0')) {
            return Err(SettingsError::Nul("argv", argument.clone()));
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(SettingsError::VariableName(name.clone()));
            }
            if name.starts_with("BELAY_") {
                return Err(SettingsError::ReservedVariable(name.clone()));
            }
            if value.contains('\0') {
                return Err(SettingsError::Nul("env", format!("{name}={value}")));
            }
        }
        for name in &self.pass_env {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(SettingsError::VariableName(name.clone()));
            }
            if name.starts_with("BELAY_") || name.starts_with("DATABASE_URL") {
                return Err(SettingsError::OwnVariable(name.clone()));
            }
        }
        if let Some(umask) = self.umask.filter(|umask| *umask > 0o777) {
            return Err(SettingsError::Umask(umask));
        }
        for (setting, name) in [("user", &self.user), ("group", &self.group)] {
            if name
                .as_ref()
                .is_some_and(|name| name.is_empty() || name.contains('\0'))
            {
                return Err(SettingsError::AccountName(setting));
            }
        }
        if let Some(cwd) = &self.cwd {
            if !cwd.is_absolute() {
                return Err(SettingsError::RelativeDirectory(cwd.clone()));
            }
            if cwd.as_os_str().as_bytes().contains(&0) {
                return Err(SettingsError::Nul("cwd", cwd.display().to_string()));
            }
        }
        if self.grace > Self::MAX_GRACE {
            return Err(SettingsError::Grace(self.grace));
        }
        if self.output_limit > Self::MAX_OUTPUT_LIMIT {
            return Err(SettingsError::OutputLimit(self.output_limit));
        }
        if self.guard.first().is_none_or(|program| program.is_empty()) {
            return Err(SettingsError::NoGuard);
        }
        if let Some(word) = self.guard.iter().find(|w| w.as_bytes().contains(&0)) {
            return Err(SettingsError::Nul("guard", word.display().to_string()));
        }
        Ok(())
    }
}

/// Why settings were refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// `argv` is empty or its first word is.
    #[error("`argv` names no program: its first word must be the program to run")]
    NoProgram,
    /// A NUL byte cannot be passed to a program. Names the setting and shows the value.
    #[error("`{0}` contains a NUL byte, which no program can receive: {1:?}")]
    Nul(&'static str, String),
    /// Not a name for an environment variable.
    #[error("`env` has the variable name {0:?}: names must not be empty or contain `=` or NUL")]
    VariableName(String),
    /// The name belongs to Belay.
    #[error("`env` sets {0:?}: names that begin with `BELAY_` are set by Belay itself")]
    ReservedVariable(String),
    /// The variable is the daemon's own.
    #[error("`pass_env` names {0:?}, which is the daemon's own: it may hold secrets")]
    OwnVariable(String),
    /// Not a file mode.
    #[error("`umask` is {0:o}: it must be from 0 to 777, in octal digits")]
    Umask(u32),
    /// Not a name of a user or group.
    #[error("`{0}` is empty or contains NUL: give a name or a number")]
    AccountName(&'static str),
    /// The working directory would depend on where the daemon was started.
    #[error("`cwd` is {0:?}: it must be an absolute path")]
    RelativeDirectory(PathBuf),
    /// The grace period is too long.
    #[error("`grace` is {0:?}: at most 7 days are allowed")]
    Grace(Duration),
    /// The output limit is too large.
    #[error("`output_limit` is {0} bytes: at most 16 MiB (16777216) are allowed")]
    OutputLimit(usize),
    /// The guard's own command is empty.
    #[error("`guard` names no program: leave it out, or give the path of `belay-guard`")]
    NoGuard,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> CommandSettings {
        CommandSettings::new(vec!["true".into()])
    }

    #[test]
    fn defaults_are_accepted() {
        assert_eq!(settings().check(), Ok(()));
    }

    #[test]
    fn what_can_never_work_is_refused() {
        let check = |change: fn(&mut CommandSettings)| {
            let mut settings = settings();
            change(&mut settings);
            settings.check()
        };
        assert_eq!(check(|s| s.argv.clear()), Err(SettingsError::NoProgram));
        assert_eq!(
            check(|s| s.argv = vec![String::new()]),
            Err(SettingsError::NoProgram)
        );
        assert_eq!(
            check(|s| s.argv.push("a\0b".into())),
            Err(SettingsError::Nul("argv", "a\0b".into()))
        );
        for name in ["", "A=B", "A\0"] {
            let mut settings = settings();
            settings.env.insert(name.into(), "1".into());
            assert_eq!(
                settings.check(),
                Err(SettingsError::VariableName(name.into()))
            );
        }
        assert_eq!(
            check(|s| {
                s.env.insert("BELAY_FENCE".into(), "9".into());
            }),
            Err(SettingsError::ReservedVariable("BELAY_FENCE".into()))
        );
        assert_eq!(
            check(|s| {
                s.env.insert("A".into(), "\0".into());
            }),
            Err(SettingsError::Nul("env", "A=\0".into()))
        );
        assert_eq!(
            check(|s| s.cwd = Some("tmp".into())),
            Err(SettingsError::RelativeDirectory("tmp".into()))
        );
        assert_eq!(
            check(|s| s.cwd = Some("/t\0".into())),
            Err(SettingsError::Nul("cwd", "/t\0".into()))
        );
        assert_eq!(
            check(|s| s.grace = Duration::MAX),
            Err(SettingsError::Grace(Duration::MAX))
        );
        assert_eq!(
            check(|s| s.output_limit = usize::MAX),
            Err(SettingsError::OutputLimit(usize::MAX))
        );
        for name in ["BELAY_CONFIG", "DATABASE_URL", "DATABASE_URL_FILE"] {
            let mut settings = settings();
            settings.pass_env.push(name.into());
            assert_eq!(
                settings.check(),
                Err(SettingsError::OwnVariable(name.into()))
            );
        }
        assert_eq!(
            check(|s| s.pass_env.push("A=B".into())),
            Err(SettingsError::VariableName("A=B".into()))
        );
        assert_eq!(
            check(|s| s.umask = Some(0o1000)),
            Err(SettingsError::Umask(0o1000))
        );
        assert_eq!(
            check(|s| s.user = Some(String::new())),
            Err(SettingsError::AccountName("user"))
        );
        assert_eq!(
            check(|s| s.group = Some("a\0".into())),
            Err(SettingsError::AccountName("group"))
        );
        assert_eq!(check(|s| s.guard.clear()), Err(SettingsError::NoGuard));
        assert_eq!(
            check(|s| s.guard = vec!["/g".into(), "\0".into()]),
            Err(SettingsError::Nul("guard", "\0".into()))
        );
    }
}
