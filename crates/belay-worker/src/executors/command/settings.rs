//! What an operator sets for a kind of job that runs a command.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

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
        assert_eq!(check(|s| s.guard.clear()), Err(SettingsError::NoGuard));
        assert_eq!(
            check(|s| s.guard = vec!["/g".into(), "\0".into()]),
            Err(SettingsError::Nul("guard", "\0".into()))
        );
    }
}
