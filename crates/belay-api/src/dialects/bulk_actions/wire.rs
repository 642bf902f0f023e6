//! What is answered.

use belay_core::JobState;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::map::Status;
use crate::service::bulk::Action;
use crate::time::Time;

/// A job as a bulk action.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "job_id": "01a210da-1086-8000-8000-00000000004d", "criteria_json": "{\"queue\": \"mail\", \"state\": \"queued\"}",
    "action_type": "cancel_jobs", "action_duration": 0, "action_reason": "the campaign was called off",
    "scheduled_at": "2026-12-01T06:00:00.000Z", "executed_at": "2026-12-01T06:00:00.012Z", "completed_at": null, "max_limit": 0,
    "preview_count": 120_000, "affected_count": 48_000, "status": "running", "progress_percent": 40, "created_by": "operations",
    "created_at": "2026-12-01T06:00:00.000Z", "updated_at": "2026-12-01T06:00:02.500Z"
}))]
pub(super) struct BulkAction {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub(super) job_id: Uuid,
    /// The criteria as JSON text.
    criteria_json: String,
    /// What is done: the kind of the job.
    action_type: String,
    /// Of the caller's own meaning, from 0.
    #[schema(minimum = 0)]
    action_duration: i64,
    /// Why it is done.
    action_reason: Option<String>,
    /// Not before this time.
    scheduled_at: Time,
    /// When it started first.
    executed_at: Option<Time>,
    /// When it ended.
    completed_at: Option<Time>,
    /// Most jobs that are acted on; 0 for no limit.
    #[schema(minimum = 0)]
    max_limit: i64,
    /// Jobs that matched when it was asked for, counted up to 1,000,000.
    #[schema(minimum = 0)]
    preview_count: i64,
    /// Jobs acted on so far.
    #[schema(minimum = 0)]
    affected_count: i64,
    /// Where it stands.
    #[schema(value_type = BulkStatus)]
    status: &'static str,
    /// How far it is.
    #[schema(minimum = 0, maximum = 100)]
    progress_percent: i64,
    /// Who asked for it.
    created_by: String,
    /// When it was asked for.
    created_at: Time,
    /// When it changed last.
    updated_at: Time,
}

/// Where a bulk action stands.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "for the document only")]
pub(super) enum BulkStatus {
    Scheduled,
    Running,
    Cancelled,
    Completed,
    Failed,
}

/// A page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BulkActions {
    pub(super) jobs: Vec<BulkAction>,
    /// How many there are in all, counted up to 100,000 each of the finished and of the unfinished ones.
    pub(super) total: i64,
}

/// The cancel was accepted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"success": true, "job_id": "01a210da-1086-8000-8000-00000000004d", "status": "cancelled"}))]
pub(super) struct BulkCancelled {
    pub(super) success: bool,
    /// The job, in lower case.
    #[schema(value_type = String, format = "uuid")]
    pub(super) job_id: Uuid,
    /// Always `cancelled`, also while its worker is still stopping.
    #[schema(value_type = BulkStatus)]
    pub(super) status: &'static str,
}

impl From<Action> for BulkAction {
    fn from(Action { job, kept }: Action) -> Self {
        let updated = [
            Some(job.created_at),
            job.started_at,
            job.claimed_at,
            job.finished_at,
            job.cancel().map(|cancel| cancel.at),
            kept.changed_at,
        ];
        Self {
            job_id: job.uid(),
            progress_percent: percent(job.state, kept.done, kept.total),
            action_duration: kept.action_duration,
            action_reason: kept.action_reason,
            scheduled_at: Time(job.run_at),
            executed_at: job.started_at.map(Time),
            completed_at: job.finished_at.map(Time),
            max_limit: kept.max_limit,
            preview_count: kept.preview_count,
            affected_count: kept.affected_count,
            status: Status::of(job.state).as_str(),
            updated_at: Time(updated.into_iter().flatten().fold(job.created_at, Ord::max)),
            created_at: Time(job.created_at),
            created_by: job.created_by,
            criteria_json: job.payload,
            action_type: job.kind,
        }
    }
}

/// How far a job is, rounded down.
fn percent(state: JobState, done: Option<i64>, total: Option<i64>) -> i64 {
    if state == JobState::Completed {
        return 100;
    }
    match (done, total) {
        (Some(done), Some(total)) if total > 0 => {
            let percent = i128::from(done.max(0)) * 100 / i128::from(total);
            i64::try_from(percent.min(100)).unwrap_or(100)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_a_whole_number_from_0_to_100() {
        for (done, total, expected) in [
            (None, None, 0),
            (Some(5), None, 0),
            (Some(0), Some(0), 0),
            (Some(1), Some(3), 33),
            (Some(2), Some(3), 66),
            (Some(9), Some(3), 100),
            (Some(i64::MAX), Some(i64::MAX), 100),
        ] {
            assert_eq!(percent(JobState::Running, done, total), expected);
            assert_eq!(percent(JobState::Completed, done, total), 100);
        }
    }
}
