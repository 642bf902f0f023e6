//! What happened to a job, and what it wrote.

use belay_core::JobState;
use belay_core::model::{EventRow, OutputView};
use belay_core::ops::Outcome;
use serde::Serialize;
use serde_json::Value;

use super::Time;

/// What a cancel did to one job.
#[derive(Debug, Serialize)]
pub(crate) struct Cancelled {
    /// Its number; for a missing job what was asked for, as it was asked.
    pub(crate) id: Value,
    pub(crate) was: Option<JobState>,
    pub(crate) state: Option<JobState>,
    pub(crate) outcome: Outcome,
    pub(crate) message: String,
}

/// A change of state that was asked for.
#[derive(Debug, Serialize)]
pub(crate) struct Moved {
    pub(crate) id: i64,
    pub(crate) was: JobState,
    pub(crate) state: JobState,
    pub(crate) message: String,
}

/// The life of a job, oldest first.
#[derive(Debug, Serialize)]
pub(crate) struct Timeline<'a> {
    pub(crate) id: i64,
    pub(crate) events: Vec<Event<'a>>,
}

/// Something that happened to a job.
#[derive(Debug, Serialize)]
pub(crate) struct Event<'a> {
    at: Time,
    event: &'a str,
    was: Option<JobState>,
    state: Option<JobState>,
    attempt: i16,
    worker: Option<i64>,
    actor: &'a str,
    interface: &'a str,
    reason: Option<&'a str>,
    detail: Option<&'a Value>,
}

impl<'a> From<&'a EventRow> for Event<'a> {
    fn from(row: &'a EventRow) -> Self {
        Self {
            at: Time(row.at),
            event: &row.event,
            was: row.was,
            state: row.state,
            attempt: row.attempt,
            worker: row.worker,
            actor: &row.actor,
            interface: &row.via,
            reason: row.reason.as_deref(),
            detail: row.detail.as_ref(),
        }
    }
}

/// What a job wrote, by attempt, oldest first.
#[derive(Debug, Serialize)]
pub(crate) struct Outputs<'a> {
    pub(crate) id: i64,
    pub(crate) attempts: Vec<Attempt<'a>>,
}

/// What one attempt wrote.
#[derive(Debug, Serialize)]
pub(crate) struct Attempt<'a> {
    attempt: i16,
    stdout: &'a str,
    stderr: &'a str,
    stdout_bytes: i64,
    stderr_bytes: i64,
    exit_code: Option<i32>,
    signal: Option<i32>,
    ran_s: Option<f64>,
    updated_at: Time,
}

impl<'a> From<&'a OutputView> for Attempt<'a> {
    fn from(output: &'a OutputView) -> Self {
        Self {
            attempt: output.attempt,
            stdout: &output.stdout,
            stderr: &output.stderr,
            stdout_bytes: output.stdout_bytes,
            stderr_bytes: output.stderr_bytes,
            exit_code: output.exit_code,
            signal: output.signal,
            ran_s: output.ran_ms.map(|ms| ms as f64 / 1000.0),
            updated_at: Time(output.updated_at),
        }
    }
}
