//! Settings of kinds that run a program: `executor = "command"`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use belay_worker::executors::Executor;
use belay_worker::executors::command::{CommandExecutor, CommandSettings, SettingsError};
use serde::Deserialize;

use super::super::duration;
use super::Refused;

/// Members that only this executor has.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    /// The program and its arguments; never goes through a shell.
    argv: Vec<String>,
    /// Time between asking the program to stop (TERM) and ending it (KILL), up to 7 days.
    #[serde(default = "defaults::grace", deserialize_with = "duration::required")]
    grace: Duration,
    /// Variables added to the environment of the program.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Working directory of the program, an absolute path.
    #[serde(default)]
    cwd: Option<PathBuf>,
    /// How many of the last bytes of each output stream are kept, up to 16 MiB.
    #[serde(default = "defaults::output_limit")]
    output_limit: usize,
}

/// The defaults of the executor, so that there is one list of them.
mod defaults {
    use super::{CommandSettings, Duration};

    fn settings() -> CommandSettings {
        CommandSettings::new(Vec::new())
    }

    pub(super) fn grace() -> Duration {
        settings().grace
    }

    pub(super) fn output_limit() -> usize {
        settings().output_limit
    }
}

impl Command {
    /// The program, and the folder it is started in.
    pub(super) fn program(self) -> Option<(String, Option<PathBuf>)> {
        Some((self.argv.into_iter().next()?, self.cwd))
    }

    pub(super) fn executor(self) -> Result<Arc<dyn Executor>, Refused> {
        let mut settings = CommandSettings::new(self.argv);
        settings.env = self.env;
        settings.cwd = self.cwd;
        settings.grace = self.grace;
        settings.output_limit = self.output_limit;
        let executor = CommandExecutor::new(settings)
            .map_err(|error| Refused::new(member(&error), error.to_string()))?;
        Ok(Arc::new(executor))
    }
}

/// The member that a refusal of the executor is about.
fn member(error: &SettingsError) -> &'static str {
    match error {
        SettingsError::NoProgram => "argv",
        SettingsError::Nul(member, _) => member,
        SettingsError::VariableName(_) | SettingsError::ReservedVariable(_) => "env",
        SettingsError::RelativeDirectory(_) => "cwd",
        SettingsError::Grace(_) => "grace",
        SettingsError::OutputLimit(_) => "output_limit",
        SettingsError::NoGuard => "argv",
    }
}
