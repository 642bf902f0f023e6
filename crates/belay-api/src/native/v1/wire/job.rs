//! A job.

use belay_core::JobState;
use belay_core::model::{CancelMark, ProgressView};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::StateName;
use crate::http::Fault;
use crate::service::read::Seen;
use crate::time::Time;

/// A job, finished or not.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": 77, "uid": "01a210da-1086-8000-8000-00000000004d", "key": "6b065cb0000000000000004d", "tenant": 1, "kind": "report",
    "queue": "default", "priority": 5, "state": "running", "attempt": 1, "max_attempts": 5, "fence": 1, "worker": 3,
    "payload": {"month": "2026-11"}, "progress": {"done": 12, "total": 31, "message": "12 November"}, "error": null, "retry_of": null,
    "created_at": "2026-12-01T06:00:00.000Z", "run_at": "2026-12-01T06:00:00.000Z", "started_at": "2026-12-01T06:00:00.012Z",
    "finished_at": null, "cancel": null
}))]
pub(crate) struct Job {
    /// Its number, from 1. The other two spellings are worked out from it and the time it was made.
    pub(crate) id: i64,
    /// Its number as a UUID.
    #[schema(value_type = String, format = "uuid")]
    uid: Uuid,
    /// Its number as 24 hexadecimal digits.
    key: String,
    /// Number of the tenant.
    tenant: i32,
    /// What it is.
    kind: String,
    /// Where it waits.
    queue: String,
    /// From 0 (first) to 9 (last).
    priority: i16,
    /// Where it stands.
    #[schema(value_type = StateName)]
    state: JobState,
    /// Attempts begun.
    attempt: i16,
    /// Attempts allowed.
    max_attempts: i16,
    /// Raised with every attempt; reports under an older one are refused.
    fence: i32,
    /// Number of the worker that holds it, or held it last.
    worker: Option<i64>,
    /// What it was given, as it is stored.
    #[schema(value_type = serde_json::Value)]
    payload: Box<RawValue>,
    /// How far it is, if it says.
    progress: Option<Progress>,
    /// Error of the latest attempt that failed.
    error: Option<String>,
    /// Number of the job that this one repeats.
    retry_of: Option<i64>,
    /// When it was made.
    created_at: Time,
    /// It does not run before this.
    run_at: Time,
    /// When it ran first.
    started_at: Option<Time>,
    /// When it ended.
    finished_at: Option<Time>,
    /// The cancel that was accepted, if one was.
    cancel: Option<Cancel>,
}

/// How far a job is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Progress {
    /// Steps done.
    done: i64,
    /// Steps in all, if known.
    total: Option<i64>,
    /// A word to the reader.
    message: Option<String>,
}

/// The cancel of a job that was accepted: the first one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cancel {
    /// When.
    at: Time,
    /// Who: the name of an API key, or a login.
    actor: String,
    /// Why.
    reason: Option<String>,
    /// Through which interface.
    interface: String,
    /// What it took to stop: `never_started`, `cooperative`, `term`, `kill`, `lease_lost` or `forced`. `null` while it is stopping.
    rung: Option<String>,
}

impl TryFrom<Seen> for Job {
    type Error = Fault;

    fn try_from(Seen { job, progress }: Seen) -> Result<Self, Fault> {
        Ok(Self {
            uid: job.uid(),
            key: job.key(),
            cancel: job.cancel().map(Cancel::from),
            id: job.id,
            tenant: job.tenant,
            kind: job.kind,
            queue: job.queue,
            priority: job.priority,
            state: job.state,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            fence: job.fence,
            worker: job.worker,
            payload: RawValue::from_string(job.payload).map_err(|e| {
                Fault::internal(format!("the payload of job {} is no JSON: {e}", job.id))
            })?,
            progress: progress.map(Progress::from),
            error: job.last_error,
            retry_of: job.retry_of,
            created_at: Time(job.created_at),
            run_at: Time(job.run_at),
            started_at: job.started_at.map(Time),
            finished_at: job.finished_at.map(Time),
        })
    }
}

impl From<ProgressView> for Progress {
    fn from(progress: ProgressView) -> Self {
        Self {
            done: progress.done,
            total: progress.total,
            message: progress.message,
        }
    }
}

impl From<CancelMark> for Cancel {
    fn from(mark: CancelMark) -> Self {
        Self {
            at: Time(mark.at),
            actor: mark.actor,
            reason: mark.reason,
            interface: mark.interface,
            rung: mark.rung,
        }
    }
}

/// A page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Jobs {
    pub(crate) jobs: Vec<Job>,
    /// Give it as `cursor` for the next page; `null` on the last one.
    pub(crate) next: Option<String>,
}
