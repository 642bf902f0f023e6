//! `[worker]`: how this node runs jobs.

use std::time::Duration;

use belay_worker::{WorkerConfig, WorkerError};
use serde::Deserialize;

use super::{Config, ConfigError, duration};

/// How this node runs jobs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// Whether this node runs jobs at all. Without, it only serves HTTP.
    pub enabled: bool,
    /// A name for people, 1 to 200 characters; the name of the machine when not set.
    pub name: Option<String>,
    /// Queues it serves; all when not set.
    pub queues: Option<Vec<String>>,
    /// Commands and other heavy jobs at once, 0 to 10000.
    pub slots: u32,
    /// Light jobs, which come in batches, that may be claimed at once, 1 to 100000.
    pub light_window: usize,
    /// Most jobs in one claim, 1 to 1000.
    pub batch: i32,
    /// How long this node may be silent before others take its jobs, 1 s to 1 h.
    #[serde(deserialize_with = "duration::required")]
    pub lease: Duration,
    /// Time between its heartbeats, at most a quarter of the lease.
    #[serde(deserialize_with = "duration::required")]
    pub beat: Duration,
    /// Longest time between two looks for work.
    #[serde(deserialize_with = "duration::required")]
    pub poll_max: Duration,
    /// How long running jobs may go on when the daemon is asked to stop, up to 7 days.
    #[serde(deserialize_with = "duration::required")]
    pub drain: Duration,
    /// Whether this node takes part in the background duties.
    pub duties: bool,
    /// Whether it listens for notifications. Turn it off behind a transaction pooler.
    pub listen: bool,
}

impl Default for Worker {
    fn default() -> Self {
        // The defaults of the worker, so that there is one list of them.
        let theirs = WorkerConfig::new("");
        Self {
            enabled: true,
            name: None,
            queues: theirs.queues,
            slots: theirs.slots,
            light_window: theirs.light_window,
            batch: theirs.batch,
            lease: theirs.lease,
            beat: theirs.beat,
            poll_max: theirs.poll_max,
            drain: theirs.drain,
            duties: theirs.duties,
            listen: theirs.listen,
        }
    }
}

/// What the worker is started with. `machine` names it when the configuration does not.
pub(crate) fn config(config: &Config, machine: &str) -> Result<WorkerConfig, ConfigError> {
    let section = &config.worker;
    let mut worker = WorkerConfig::new(section.name.as_deref().unwrap_or(machine));
    worker.queues.clone_from(&section.queues);
    worker.slots = section.slots;
    worker.light_window = section.light_window;
    worker.batch = section.batch;
    worker.lease = section.lease;
    worker.beat = section.beat;
    worker.poll_max = section.poll_max;
    worker.drain = section.drain;
    worker.duties = section.duties;
    worker.listen = section.listen && !config.database.pooler;
    worker.retention = config.retention.into();
    worker.ingest_max_age = config.ingest.max_age;
    for (name, kind) in &config.kinds {
        kind.add(name, &mut worker)?;
    }
    worker.check().map_err(member)?;
    Ok(worker)
}

/// Turns the worker's refusal into one that names the member of the file.
fn member(error: WorkerError) -> ConfigError {
    match error {
        WorkerError::Invalid { setting, message } => {
            let inside = ["retention.", "ingest.", "kinds"];
            let member = if inside.iter().any(|part| setting.starts_with(part)) {
                setting.to_owned()
            } else {
                format!("worker.{setting}")
            };
            ConfigError::member(member, message)
        }
        other => ConfigError::member("worker", other.to_string()),
    }
}
