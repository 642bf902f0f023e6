//! The shapes of answers.

use belay_core::ops::Claimed;
use belay_core::query::remote::Signal;
use belay_core::{JobState, id};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::hub::Key;
use crate::http::Fault;
use crate::native::v1::wire::StateName;
use crate::time::Time;

/// Jobs that were given out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClaimedJobs)]
pub(crate) struct Jobs {
    pub(crate) jobs: Vec<Job>,
}

/// A job to be run now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClaimedJob, example = json!({
    "id": 77, "uid": "01a210da-1086-8000-8000-00000000004d", "key": "6b065cb0000000000000004d", "tenant": 1, "kind": "mail", "queue": "default",
    "priority": 5, "attempt": 1, "max_attempts": 5, "fence": 1, "timeout_s": 600, "left_s": null, "created_at": "2026-12-01T06:00:00.000Z",
    "payload": {"to": "ada@example.org"}
}))]
pub(crate) struct Job {
    /// Its number.
    id: i64,
    /// Its number as a UUID.
    #[schema(value_type = String, format = "uuid")]
    uid: Uuid,
    /// Its number as 24 hexadecimal digits.
    key: String,
    /// Number of the tenant.
    tenant: i32,
    /// What it is.
    kind: String,
    /// Where it waited.
    queue: String,
    /// From 0 (first) to 9 (last).
    priority: i16,
    /// This attempt, from 1.
    attempt: i16,
    /// Attempts allowed.
    max_attempts: i16,
    /// Must accompany every report on this attempt.
    fence: i32,
    /// Seconds this attempt may take.
    timeout_s: Option<i32>,
    /// Seconds until the time of the whole job is over; below 0 when it is over already.
    left_s: Option<f64>,
    /// When it was made.
    created_at: Time,
    /// What it was given, as it is stored.
    #[schema(value_type = serde_json::Value)]
    payload: Box<RawValue>,
}

impl TryFrom<Claimed> for Job {
    type Error = Fault;

    fn try_from(job: Claimed) -> Result<Self, Fault> {
        Ok(Self {
            uid: id::uid(job.id, job.created_at),
            key: id::key(job.id, job.created_at),
            id: job.id,
            tenant: job.tenant,
            kind: job.line.kind,
            queue: job.line.queue,
            priority: job.line.priority,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            fence: job.fence,
            timeout_s: job.timeout_s,
            left_s: job.left_s,
            created_at: Time(job.created_at),
            payload: RawValue::from_string(job.payload).map_err(|e| {
                Fault::internal(format!("the payload of job {} is no JSON: {e}", job.id))
            })?,
        })
    }
}

/// What is wanted of a worker.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BeatAnswer, example = json!({
    "lease_s": 15.0, "cancel": [{"id": 77, "fence": 1, "reason": "wrong month", "grace_s": 10.0}], "suspend": [], "lost": [{"id": 78, "fence": 2}],
    "drain": false
}))]
pub(crate) struct Beat {
    /// Seconds it may be silent from now on.
    pub(crate) lease_s: f64,
    /// Jobs to stop: somebody cancelled them.
    pub(crate) cancel: Vec<Cancel>,
    /// Jobs to hold still. What was in this list and is in none any more goes on.
    pub(crate) suspend: Vec<Held>,
    /// Jobs that it does not hold any more: stop them and do not report.
    pub(crate) lost: Vec<Held>,
    /// Whether an operator wants it to claim nothing more.
    pub(crate) drain: bool,
}

/// A job to stop.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = CancelOrder)]
pub(crate) struct Cancel {
    id: i64,
    fence: i32,
    /// The reason given.
    reason: Option<String>,
    /// Seconds that its kind gives it to stop.
    grace_s: Option<f64>,
}

/// A job and the fence it is held under.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = HeldJob)]
pub(crate) struct Held {
    id: i64,
    fence: i32,
}

impl From<Key> for Held {
    fn from((id, fence): Key) -> Self {
        Self { id, fence }
    }
}

impl From<&Signal> for Cancel {
    fn from(signal: &Signal) -> Self {
        Self {
            id: signal.id,
            fence: signal.fence,
            reason: signal.reason.clone(),
            grace_s: signal.grace_ms.map(|ms| f64::from(ms) / 1000.0),
        }
    }
}

/// One answer per report, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FinishAnswers)]
pub(crate) struct Results {
    pub(crate) results: Vec<Taken>,
}

/// What became of a report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FinishAnswer, example = json!({"id": 77, "fence": 1, "accepted": true, "state": "completed"}))]
pub(crate) struct Taken {
    pub(crate) id: i64,
    pub(crate) fence: i32,
    /// Whether it was taken.
    pub(crate) accepted: bool,
    /// The state the job is in now: `cancelled` when a cancel came first, whatever was reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StateName>)]
    pub(crate) state: Option<JobState>,
    /// Why it was not: `fenced_out` (the job is not held under that fence any more), `suspended` (report again when it goes on) or `busy`
    /// (somebody holds the job locked; report again in a moment).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
}
