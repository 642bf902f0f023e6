//! Queues, kinds, workers and tenants.

use std::collections::BTreeMap;

use belay_core::JobState;
use belay_core::model::{KindRow, QueueRow, TenantRow, WorkerRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::StateName;
use crate::time::Time;

/// States of unfinished jobs.
const UNFINISHED: [JobState; 6] = [
    JobState::Open,
    JobState::Scheduled,
    JobState::Queued,
    JobState::Running,
    JobState::Suspended,
    JobState::Cancelling,
];

/// All queues, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Queues {
    pub(crate) queues: Vec<Queue>,
}

/// A queue and its unfinished jobs, those of all tenants.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "name": "default", "jobs": {"open": 0, "scheduled": 3, "queued": 120, "running": 8, "suspended": 0, "cancelling": 1}, "at_least": []
}))]
pub(crate) struct Queue {
    name: String,
    /// How many jobs are in each state.
    jobs: BTreeMap<&'static str, i64>,
    /// States in which there are more than were counted: counting stops somewhere, so that it costs the same whatever the backlog.
    #[schema(value_type = Vec<StateName>)]
    at_least: Vec<JobState>,
}

impl Queue {
    pub(crate) fn new(name: String, rows: &[QueueRow]) -> Self {
        let mut jobs: BTreeMap<&'static str, i64> =
            UNFINISHED.iter().map(|state| (state.as_str(), 0)).collect();
        for row in rows {
            *jobs.entry(row.state.as_str()).or_default() += row.jobs;
        }
        Self {
            name,
            jobs,
            at_least: rows
                .iter()
                .filter(|row| row.capped)
                .map(|row| row.state)
                .collect(),
        }
    }
}

/// All kinds of jobs, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Kinds {
    pub(crate) kinds: Vec<Kind>,
}

/// A kind of jobs, with what a job gets that does not say.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "name": "report", "executor": "command", "queue": "default", "priority": 5, "max_attempts": 5, "timeout_s": 600, "job_timeout_s": 3600, "can_suspend": true, "grace_s": 10.0
}))]
pub(crate) struct Kind {
    name: String,
    /// What runs it.
    executor: String,
    queue: String,
    priority: i16,
    max_attempts: i16,
    /// Seconds an attempt may take.
    timeout_s: Option<i32>,
    /// Seconds a job may take, all its attempts together.
    job_timeout_s: Option<i32>,
    /// Whether running jobs can be held still.
    can_suspend: bool,
    /// Seconds a running job that is told to stop may take before it is forced, or counts as overdue where nothing can be forced; `null`: none.
    grace_s: Option<f64>,
}

impl From<KindRow> for Kind {
    fn from(row: KindRow) -> Self {
        Self {
            name: row.name,
            executor: row.executor,
            queue: row.queue,
            priority: row.priority,
            max_attempts: row.max_attempts,
            timeout_s: row.timeout_s,
            job_timeout_s: row.job_timeout_s,
            can_suspend: row.can_suspend,
            grace_s: row.grace_ms.map(|ms| f64::from(ms) / 1000.0),
        }
    }
}

/// All workers, oldest first, those that ended lately included.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Workers {
    pub(crate) workers: Vec<Worker>,
}

/// A worker.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": 3, "name": "node-a", "host": "node-a", "pid": 4711, "version": "0.1.0", "queues": null, "kinds": ["noop", "report", "sleep"],
    "slots": 8, "running": 2, "lease_ms": 15000, "started_at": "2026-12-01T06:00:00.000Z", "beat_at": "2026-12-01T06:01:00.000Z", "state": "alive",
    "key": null, "tenants": null, "drain": false
}))]
pub(crate) struct Worker {
    id: i64,
    name: String,
    host: String,
    pid: i32,
    version: String,
    /// Queues it serves; `null` for all.
    queues: Option<Vec<String>>,
    /// Kinds it can run.
    kinds: Vec<String>,
    /// Jobs it runs at once.
    slots: i32,
    /// Jobs it held at its last heartbeat.
    running: i32,
    /// Milliseconds it may be silent before its jobs are taken away.
    lease_ms: i32,
    started_at: Time,
    /// Last heartbeat.
    beat_at: Time,
    /// `alive`, `stopping` (claims nothing more) or `dead` (its lease ran out, or it ended).
    state: &'static str,
    /// Name of the API key that a remote worker belongs to; `null` for the workers of daemons.
    key: Option<String>,
    /// Numbers of the tenants whose jobs it gets; `null` for all.
    tenants: Option<Vec<i32>>,
    /// Whether an operator wants it to claim nothing more.
    drain: bool,
}

impl From<WorkerRow> for Worker {
    fn from(row: WorkerRow) -> Self {
        Self {
            // What the database says, and not what the clock of this node would make of it.
            state: match (row.dead_at, row.stopping) {
                (Some(_), _) => "dead",
                (None, true) => "stopping",
                (None, false) => "alive",
            },
            id: row.id,
            name: row.name,
            host: row.host,
            pid: row.pid,
            version: row.version,
            queues: row.queues,
            kinds: row.kinds,
            slots: row.slots,
            running: row.running,
            lease_ms: row.lease_ms,
            started_at: Time(row.started_at),
            beat_at: Time(row.beat_at),
            key: row.key,
            tenants: row.tenants,
            drain: row.drain,
        }
    }
}

/// Tenants, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tenants {
    pub(crate) tenants: Vec<Tenant>,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": 2, "key": "6b065cb00000000000000002", "name": "acme", "created_at": "2026-12-01T06:00:00.000Z"}))]
pub(crate) struct Tenant {
    /// Its number, from 1.
    id: i32,
    /// Its number as 24 hexadecimal digits.
    key: String,
    name: String,
    created_at: Time,
}

impl From<TenantRow> for Tenant {
    fn from(row: TenantRow) -> Self {
        Self {
            key: row.key(),
            id: row.id,
            name: row.name,
            created_at: Time(row.created_at),
        }
    }
}
