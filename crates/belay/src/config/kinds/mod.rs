//! `[kinds.NAME]`: the kinds of jobs that this node can run beside the built-in ones.
//!
//! Some members belong to every kind; the others belong to what runs it, and have a file each.

mod backoff;
mod command;
mod http;
mod remote;
mod sql;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use belay_core::ops::{BulkKind, KindSpec};
use belay_worker::executors;
use belay_worker::{KindConfig, WorkerConfig};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::ConfigError;
use super::duration::{self, check, days, seconds};
use backoff::{Policy, Waits};

/// One kind. Two are equal when they mean the same, whether or not they write defaults down.
#[derive(Clone, Deserialize)]
pub struct Kind {
    /// What runs it.
    pub executor: Executor,
    /// How long an attempt may take, 1 s to 365 days; for ever when not set.
    #[serde(default, deserialize_with = "duration::optional")]
    pub timeout: Option<Duration>,
    /// How long a job may take from its first start, over all its attempts, 1 s to 365 days; for ever when not set.
    #[serde(default, deserialize_with = "duration::optional")]
    pub job_timeout: Option<Duration>,
    /// Queue of jobs that name none.
    #[serde(default = "defaults::queue")]
    pub queue: String,
    /// Priority of jobs that name none, 0 (first) to 9 (last).
    #[serde(default = "defaults::priority")]
    pub priority: i16,
    /// Attempts of jobs that name none, 1 to 1000.
    #[serde(default = "defaults::max_attempts")]
    pub max_attempts: i16,
    /// How long the first retry waits, or a list of all waits.
    #[serde(default)]
    pub backoff: Waits,
    /// How the other waits follow from the first.
    #[serde(default)]
    pub backoff_policy: Policy,
    /// The longest a retry waits when waits grow.
    #[serde(
        default = "defaults::backoff_max",
        deserialize_with = "duration::required"
    )]
    pub backoff_max: Duration,
    /// Whether a growing wait is drawn between half and the whole of it.
    #[serde(default = "defaults::backoff_jitter")]
    pub backoff_jitter: bool,
    /// The members of the executor.
    #[serde(flatten)]
    pub own: toml::Table,
}

/// What can run a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Executor {
    /// A program of its own for each attempt.
    Command,
    /// A request to somebody else for each attempt.
    Http,
    /// A statement in a database.
    Sql,
    /// Workers elsewhere, over HTTP.
    Remote,
}

/// The members of an executor, read.
#[derive(Debug, PartialEq)]
enum Own {
    Command(command::Command),
    Http(http::Http),
    Sql(sql::Sql),
    Remote(remote::Remote),
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of the executor's members only the names: values may be secrets.
        f.debug_struct("Kind")
            .field("executor", &self.executor)
            .field("timeout", &self.timeout)
            .field("job_timeout", &self.job_timeout)
            .field("queue", &self.queue)
            .field("priority", &self.priority)
            .field("max_attempts", &self.max_attempts)
            .field("backoff", &self.backoff())
            .field("own", &self.own.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Own {
    /// What runs it here; `None` when that is not the daemon's business.
    fn executor(self) -> Option<Result<Arc<dyn executors::Executor>, Refused>> {
        match self {
            Self::Command(own) => Some(own.executor()),
            Self::Http(own) => Some(own.executor()),
            Self::Sql(own) => Some(own.executor()),
            Self::Remote(_) => None,
        }
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.executor == other.executor
            && self.timeout == other.timeout
            && self.job_timeout == other.job_timeout
            && self.queue == other.queue
            && self.priority == other.priority
            && self.max_attempts == other.max_attempts
            && self.backoff() == other.backoff()
            && (self.own == other.own
                || matches!((self.own(), other.own()), (Ok(mine), Ok(theirs)) if mine == theirs))
    }
}

impl Executor {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Http => "http",
            Self::Sql => "sql",
            Self::Remote => belay_core::ops::remote::EXECUTOR,
        }
    }
}

/// The defaults of the worker, so that there is one list of them.
mod defaults {
    use super::{Arc, Duration, KindConfig, executors};

    fn kind() -> KindConfig {
        KindConfig::new("", "", Arc::new(executors::builtin::Noop))
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

    pub(super) fn backoff_max() -> Duration {
        super::backoff::defaults().1
    }

    pub(super) const fn backoff_jitter() -> bool {
        true
    }
}

/// A member of an executor that was refused.
#[derive(Debug)]
struct Refused {
    member: String,
    message: String,
}

impl Refused {
    fn new(member: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            member: member.into(),
            message: message.into(),
        }
    }
}

/// Reads the members of an executor.
fn own<T: DeserializeOwned>(table: &toml::Table) -> Result<T, Refused> {
    serde_path_to_error::deserialize(toml::Value::Table(table.clone())).map_err(|error| {
        let path = error.path().to_string();
        let member = if path == "." { String::new() } else { path };
        // The excerpt that the error's own text shows could hold a secret.
        Refused::new(
            member,
            error.into_inner().message().trim_end().replace('\n', "; "),
        )
    })
}

impl Kind {
    /// Tells the worker of this kind.
    pub(super) fn add(&self, name: &str, worker: &mut WorkerConfig) -> Result<(), ConfigError> {
        self.check(name)?;
        let refused = |Refused { member, message }: Refused| {
            let member = if member.is_empty() {
                format!("kinds.{name}")
            } else {
                format!("kinds.{name}.{member}")
            };
            ConfigError::member(member, message)
        };
        let executor = self.executor.as_str();
        match self.own().map_err(refused)? {
            Own::Remote(own) => {
                let mut spec = KindSpec::new(name, executor);
                own.put(&mut spec).map_err(refused)?;
                self.put(name, &mut spec)?;
                worker.declared.push(spec);
            }
            own => {
                let Some(runs) = own.executor().transpose().map_err(refused)? else {
                    return Ok(());
                };
                let mut kind = KindConfig::new(name, executor, runs);
                self.put(name, &mut kind.spec)?;
                worker.kinds.push(kind);
            }
        }
        Ok(())
    }

    /// Puts in what every kind has.
    fn put(&self, name: &str, spec: &mut KindSpec) -> Result<(), ConfigError> {
        spec.queue.clone_from(&self.queue);
        spec.priority = self.priority;
        spec.max_attempts = self.max_attempts;
        spec.timeout_s = self.timeout.map(whole_seconds);
        spec.job_timeout_s = self.job_timeout.map(whole_seconds);
        spec.backoff = self.backoff();
        if let Some(fault) = spec.backoff.fault() {
            return Err(ConfigError::member(
                format!("kinds.{name}.backoff"),
                format!("it {fault}"),
            ));
        }
        Ok(())
    }

    /// The program of a kind that runs one, and the folder it is started in.
    pub(crate) fn program(&self) -> Option<(String, Option<PathBuf>)> {
        match self.own().ok()? {
            Own::Command(own) => own.program(),
            Own::Http(_) | Own::Sql(_) | Own::Remote(_) => None,
        }
    }

    /// What the kind needs on this machine and does not find, such as a secret.
    pub(crate) fn missing(&self) -> Option<String> {
        self.own().ok()?.executor()?.ok()?.prepare().err()
    }

    fn backoff(&self) -> belay_core::Backoff {
        self.backoff
            .backoff(self.backoff_policy, self.backoff_max, self.backoff_jitter)
    }

    fn own(&self) -> Result<Own, Refused> {
        Ok(match self.executor {
            Executor::Command => Own::Command(own(&self.own)?),
            Executor::Http => Own::Http(own(&self.own)?),
            Executor::Sql => Own::Sql(own(&self.own)?),
            Executor::Remote => Own::Remote(own(&self.own)?),
        })
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
        for (field, time) in [("timeout", self.timeout), ("job_timeout", self.job_timeout)] {
            let Some(time) = time else { continue };
            check(&member(field), time, seconds(1)..=days(365))?;
            if time.subsec_nanos() != 0 {
                return Err(ConfigError::member(
                    member(field),
                    format!(
                        "{} is not a whole number of seconds",
                        humantime::format_duration(time)
                    ),
                ));
            }
        }
        match (&self.backoff, self.backoff_policy) {
            (Waits::First(first), Policy::Exponential) => {
                check(&member("backoff_max"), self.backoff_max, *first..=days(365))
            }
            _ => Ok(()),
        }
    }
}

fn whole_seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
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
