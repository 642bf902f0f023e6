//! The shapes of the native HTTP API, for `--json`. A test compares them with what the API answers.

use belay_core::JobState;
use belay_core::model::{ApiKey, EventRow, Job, OutputView, ProgressView, TenantRow};
use belay_core::ops::Outcome;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::show::api_time;

/// A job.
pub(crate) fn job(job: &Job, progress: Option<&ProgressView>) -> Value {
    // The database holds JSON, so this always succeeds.
    let payload = serde_json::from_str::<Value>(&job.payload).unwrap_or_default();
    json!({
        "id": job.id,
        "uid": job.uid(),
        "key": job.key(),
        "tenant": job.tenant,
        "kind": job.kind,
        "queue": job.queue,
        "priority": job.priority,
        "state": job.state,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "fence": job.fence,
        "worker": job.worker,
        "payload": payload,
        "progress": progress.map(|p| json!({ "done": p.done, "total": p.total, "message": p.message })),
        "error": job.last_error,
        "retry_of": job.retry_of,
        "created_at": api_time(job.created_at),
        "run_at": api_time(job.run_at),
        "started_at": maybe(job.started_at),
        "finished_at": maybe(job.finished_at),
        "cancel": job.cancel().map(|c| json!({
            "at": api_time(c.at),
            "actor": c.actor,
            "reason": c.reason,
            "interface": c.interface,
            "rung": c.rung,
        })),
    })
}

fn maybe(at: Option<DateTime<Utc>>) -> Option<String> {
    at.map(api_time)
}

/// A list of jobs with their progress, and where the next page begins.
pub(crate) fn jobs(jobs: &[(Job, Option<ProgressView>)], next: Option<i64>) -> Value {
    let list: Vec<Value> = jobs.iter().map(|(j, p)| job(j, p.as_ref())).collect();
    json!({ "jobs": list, "next": next.map(|id| id.to_string()) })
}

/// What a cancel did to one job. `id` is its number, or for a missing job the words that asked for it.
pub(crate) fn cancelled(
    id: &Value,
    was: Option<JobState>,
    state: Option<JobState>,
    outcome: Outcome,
    message: &str,
) -> Value {
    json!({ "id": id, "was": was, "state": state, "outcome": outcome, "message": message })
}

/// A change of state that was asked for.
pub(crate) fn moved(id: i64, was: JobState, state: JobState, message: &str) -> Value {
    json!({ "id": id, "was": was, "state": state, "message": message })
}

/// The life of a job.
pub(crate) fn timeline(id: i64, events: &[EventRow]) -> Value {
    let events: Vec<Value> = events
        .iter()
        .map(|e| {
            json!({
                "at": api_time(e.at),
                "event": e.event,
                "was": e.was,
                "state": e.state,
                "attempt": e.attempt,
                "worker": e.worker,
                "actor": e.actor,
                "interface": e.via,
                "reason": e.reason,
                "detail": e.detail,
            })
        })
        .collect();
    json!({ "id": id, "events": events })
}

/// What a job wrote.
pub(crate) fn outputs(id: i64, outputs: &[OutputView]) -> Value {
    let attempts: Vec<Value> = outputs
        .iter()
        .map(|o| {
            json!({
                "attempt": o.attempt,
                "stdout": o.stdout,
                "stderr": o.stderr,
                "stdout_bytes": o.stdout_bytes,
                "stderr_bytes": o.stderr_bytes,
                "exit_code": o.exit_code,
                "signal": o.signal,
                "updated_at": api_time(o.updated_at),
            })
        })
        .collect();
    json!({ "id": id, "attempts": attempts })
}

/// A tenant.
pub(crate) fn tenant(tenant: &TenantRow) -> Value {
    json!({
        "id": tenant.id,
        "key": tenant.key(),
        "name": tenant.name,
        "created_at": api_time(tenant.created_at),
    })
}

/// What is known of a key.
pub(crate) fn key(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "scopes": key.scopes,
        "tenants": key.tenants,
        "created_at": api_time(key.created_at),
        "created_by": key.created_by,
        "expires_at": maybe(key.expires_at),
        "revoked_at": maybe(key.revoked_at),
    })
}
