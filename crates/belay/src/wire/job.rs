//! A job.

use belay_core::JobState;
use belay_core::model::{self, ProgressView};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Time;

/// A job, finished or not.
#[derive(Debug, Serialize)]
pub(crate) struct Job<'a> {
    id: i64,
    uid: String,
    key: String,
    tenant: i32,
    kind: &'a str,
    queue: &'a str,
    priority: i16,
    state: JobState,
    attempt: i16,
    max_attempts: i16,
    fence: i32,
    worker: Option<i64>,
    payload: &'a RawValue,
    progress: Option<Progress<'a>>,
    error: Option<&'a str>,
    retry_of: Option<i64>,
    created_at: Time,
    run_at: Time,
    started_at: Option<Time>,
    finished_at: Option<Time>,
    cancel: Option<Cancel>,
}

#[derive(Debug, Serialize)]
struct Progress<'a> {
    done: i64,
    total: Option<i64>,
    message: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Cancel {
    at: Time,
    actor: String,
    reason: Option<String>,
    interface: String,
    rung: Option<String>,
}

impl<'a> Job<'a> {
    pub(crate) fn new(job: &'a model::Job, progress: Option<&'a ProgressView>) -> Self {
        Self {
            id: job.id,
            uid: job.uid().to_string(),
            key: job.key(),
            tenant: job.tenant,
            kind: &job.kind,
            queue: &job.queue,
            priority: job.priority,
            state: job.state,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            fence: job.fence,
            worker: job.worker,
            // The database holds JSON, so this always succeeds.
            payload: serde_json::from_str(&job.payload).unwrap_or(RawValue::NULL),
            progress: progress.map(|progress| Progress {
                done: progress.done,
                total: progress.total,
                message: progress.message.as_deref(),
            }),
            error: job.last_error.as_deref(),
            retry_of: job.retry_of,
            created_at: Time(job.created_at),
            run_at: Time(job.run_at),
            started_at: job.started_at.map(Time),
            finished_at: job.finished_at.map(Time),
            cancel: job.cancel().map(|mark| Cancel {
                at: Time(mark.at),
                actor: mark.actor,
                reason: mark.reason,
                interface: mark.interface,
                rung: mark.rung,
            }),
        }
    }
}

/// A page of jobs, newest first.
#[derive(Debug, Serialize)]
pub(crate) struct Jobs<'a> {
    pub(crate) jobs: Vec<Job<'a>>,
    /// What to give as `--before` for the next page; `null` on the last one.
    pub(crate) next: Option<String>,
}
