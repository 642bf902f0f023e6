//! `[kinds.NAME]`: the kinds of jobs that this node can run beside the built-in ones.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use belay_core::ops::BulkKind;
use belay_worker::executors::command::{CommandExecutor, CommandSettings, SettingsError};
use belay_worker::{Backoff, KindConfig};
use serde::Deserialize;

use super::ConfigError;
use super::duration::{self, check, days, seconds};

/// One kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// What runs it.
    pub executor: Executor,
    /// The program and its arguments; never goes through a shell.
    pub argv: Vec<String>,
    /// Time between asking the program to stop (TERM) and ending it (KILL), up to 7 days.
    #[serde(default = "defaults::grace", deserialize_with = "duration::required")]
    pub grace: Duration,
    /// How long an attempt may take, 1 s to 365 days; for ever when not set.
    #[serde(default, deserialize_with = "duration::optional")]
    pub timeout: Option<Duration>,
    /// Queue of jobs that name none.
    #[serde(default = "defaults::queue")]
    pub queue: String,
    /// Priority of jobs that name none, 0 (first) to 9 (last).
    #[serde(default = "defaults::priority")]
    pub priority: i16,
    /// Attempts of jobs that name none, 1 to 1000.
    #[serde(default = "defaults::max_attempts")]
    pub max_attempts: i16,
    /// How long the first retry waits; each further one waits longer.
    #[serde(default = "defaults::backoff", deserialize_with = "duration::required")]
    pub backoff: Duration,
    /// The longest a retry waits.
    #[serde(
        default = "defaults::backoff_max",
        deserialize_with = "duration::required"
    )]
    pub backoff_max: Duration,
    /// Variables added to the environment of the program.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Working directory of the program, an absolute path.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// How many of the last bytes of each output stream are kept, up to 16 MiB.
    #[serde(default = "defaults::output_limit")]
    pub output_limit: usize,
}

/// What can run a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Executor {
    /// A program of its own for each attempt.
    Command,
}

/// The defaults of the executor and of the worker, so that there is one list of them.
mod defaults {
    use super::{Arc, Backoff, CommandSettings, Duration, KindConfig};

    fn settings() -> CommandSettings {
        CommandSettings::new(Vec::new())
    }

    fn kind() -> KindConfig {
        KindConfig::new("", "", Arc::new(belay_worker::executors::builtin::Noop))
    }

    pub(super) fn grace() -> Duration {
        settings().grace
    }

    pub(super) fn output_limit() -> usize {
        settings().output_limit
    }

    pub(super) fn queue() -> String {
        kind().spec.queue
    }

    pub(super) fn priority() -> i16 {
        kind().spec.priority
    }

    pub(super) fn max_attempts() -> i16 {
        kind().spec.max_attempts
    }

    pub(super) fn backoff() -> Duration {
        Backoff::default().base
    }

    pub(super) fn backoff_max() -> Duration {
        Backoff::default().cap
    }
}

impl Kind {
    /// What the worker is told of this kind.
    pub(super) fn config(&self, name: &str) -> Result<KindConfig, ConfigError> {
        let member = |field: &str| format!("kinds.{name}.{field}");
        self.check(name)?;
        let mut settings = CommandSettings::new(self.argv.clone());
        settings.env.clone_from(&self.env);
        settings.cwd.clone_from(&self.cwd);
        settings.grace = self.grace;
        settings.output_limit = self.output_limit;
        let executor = CommandExecutor::new(settings)
            .map_err(|error| ConfigError::member(member(field(&error)), error.to_string()))?;
        let mut kind = KindConfig::new(name, "command", Arc::new(executor));
        kind.spec.queue.clone_from(&self.queue);
        kind.spec.priority = self.priority;
        kind.spec.max_attempts = self.max_attempts;
        kind.spec.timeout_s = self
            .timeout
            .map(|t| i32::try_from(t.as_secs()).unwrap_or(i32::MAX));
        kind.backoff = Backoff {
            base: self.backoff,
            cap: self.backoff_max,
            ..Backoff::default()
        };
        Ok(kind)
    }

    fn check(&self, name: &str) -> Result<(), ConfigError> {
        let member = |field: &str| format!("kinds.{name}.{field}");
        if name == "ingest"
            || BulkKind::of(name).is_some()
            || belay_worker::builtin_kinds()
                .iter()
                .any(|kind| kind.spec.name == name)
        {
            return Err(ConfigError::member(
                format!("kinds.{name}"),
                format!("{name:?} is built in; choose another name"),
            ));
        }
        if !is_name(name) {
            return Err(ConfigError::member(
                format!("kinds.{name}"),
                format!("{name:?} is not a name of a kind; {NAME_RULE}"),
            ));
        }
        if !is_name(&self.queue) {
            return Err(ConfigError::member(
                member("queue"),
                format!("{:?} is not a name of a queue; {NAME_RULE}", self.queue),
            ));
        }
        for (field, value, max, least) in [
            ("priority", self.priority, 9, 0),
            ("max_attempts", self.max_attempts, 1000, 1),
        ] {
            if !(least..=max).contains(&value) {
                return Err(ConfigError::member(
                    member(field),
                    format!("{value} is out of range; it must be from {least} to {max}"),
                ));
            }
        }
        if let Some(timeout) = self.timeout {
            check(&member("timeout"), timeout, seconds(1)..=days(365))?;
            if timeout.subsec_nanos() != 0 {
                return Err(ConfigError::member(
                    member("timeout"),
                    format!(
                        "{} is not a whole number of seconds",
                        humantime::format_duration(timeout)
                    ),
                ));
            }
        }
        check(
            &member("backoff_max"),
            self.backoff_max,
            self.backoff..=days(365),
        )
    }
}

const NAME_RULE: &str =
    "use 1 to 100 letters, digits and . _ : - and begin with a letter or a digit";

/// The rule of the database for names of kinds and queues.
fn is_name(name: &str) -> bool {
    name.len() <= 100
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}

/// The member that a refusal of the executor is about.
fn field(error: &SettingsError) -> &'static str {
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
