//! What is on record of a job.

use belay_core::JobState;
use belay_core::model::{EventRow, OutputView};
use serde::Serialize;
use utoipa::ToSchema;

use super::StateName;
use crate::service::manage;
use crate::time::Time;

/// A change of state that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": 77, "was": "running", "state": "suspended", "message": "its worker was told to hold it still"}))]
pub(crate) struct Moved {
    /// The number of the job.
    id: i64,
    /// State before.
    #[schema(value_type = StateName)]
    was: JobState,
    /// State now.
    #[schema(value_type = StateName)]
    state: JobState,
    /// What happens now, in words.
    message: String,
}

impl Moved {
    /// `now` is what happens when the state changed.
    pub(crate) fn new(moved: manage::Moved, now: &str) -> Self {
        Self {
            id: moved.id,
            was: moved.was,
            state: moved.state,
            message: if moved.was == moved.state {
                format!("it was {} already", moved.state)
            } else {
                now.to_owned()
            },
        }
    }
}

/// The life of a job, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Timeline {
    /// The number of the job.
    id: i64,
    events: Vec<Event>,
}

/// Something that happened to a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "at": "2026-12-01T06:01:00.000Z", "event": "cancel_requested", "was": "running", "state": "cancelling", "attempt": 1, "worker": 3,
    "actor": "ops", "interface": "native", "reason": "asked for by the customer", "detail": null
}))]
pub(crate) struct Event {
    /// When.
    at: Time,
    /// What: `created`, `claimed`, `completed`, `failed`, `attempt_failed`, `cancel_requested`, `cancelled` and so on.
    event: String,
    /// State before.
    #[schema(value_type = Option<StateName>)]
    was: Option<JobState>,
    /// State after.
    #[schema(value_type = Option<StateName>)]
    state: Option<JobState>,
    /// The attempt it belongs to; 0 before the first.
    attempt: i16,
    /// Number of the worker concerned.
    worker: Option<i64>,
    /// Who.
    actor: String,
    /// Through which interface.
    interface: String,
    /// Why.
    reason: Option<String>,
    /// More, by event.
    #[schema(value_type = Option<Object>)]
    detail: Option<serde_json::Value>,
}

impl Timeline {
    pub(crate) fn new(id: i64, events: Vec<EventRow>) -> Self {
        let events = events
            .into_iter()
            .map(|row| Event {
                at: Time(row.at),
                event: row.event,
                was: row.was,
                state: row.state,
                attempt: row.attempt,
                worker: row.worker,
                actor: row.actor,
                interface: row.via,
                reason: row.reason,
                detail: row.detail,
            })
            .collect();
        Self { id, events }
    }
}

/// What a job wrote.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Outputs {
    /// The number of the job.
    id: i64,
    /// Attempts that wrote anything, oldest first.
    attempts: Vec<Attempt>,
}

/// What one attempt wrote.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "attempt": 1, "stdout": "12 pages\n", "stderr": "", "stdout_bytes": 9, "stderr_bytes": 0, "exit_code": 0, "signal": null,
    "ran_s": 1.27, "updated_at": "2026-12-01T06:01:00.000Z"
}))]
pub(crate) struct Attempt {
    /// The attempt, from 1.
    attempt: i16,
    /// Last part of standard output.
    stdout: String,
    /// Last part of standard error.
    stderr: String,
    /// Bytes of standard output in all.
    stdout_bytes: i64,
    /// Bytes of standard error in all.
    stderr_bytes: i64,
    /// Exit code, once known.
    exit_code: Option<i32>,
    /// Signal that ended it, once known.
    signal: Option<i32>,
    /// How long it ran in seconds, once known.
    ran_s: Option<f64>,
    /// Last change.
    updated_at: Time,
}

impl Outputs {
    pub(crate) fn new(id: i64, outputs: Vec<OutputView>) -> Self {
        let attempts = outputs
            .into_iter()
            .map(|output| Attempt {
                attempt: output.attempt,
                stdout: output.stdout,
                stderr: output.stderr,
                stdout_bytes: output.stdout_bytes,
                stderr_bytes: output.stderr_bytes,
                exit_code: output.exit_code,
                signal: output.signal,
                ran_s: output.ran_ms.map(|ms| ms as f64 / 1000.0),
                updated_at: Time(output.updated_at),
            })
            .collect();
        Self { id, attempts }
    }
}
