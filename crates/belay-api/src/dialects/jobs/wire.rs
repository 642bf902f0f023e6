//! The shape of a job.

use belay_core::JobState;
use belay_core::model::Job as Stored;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::map::word;
use crate::time::Time;

/// A job. What is not known of it is `null`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JobsJob)]
pub(super) struct Job {
    #[schema(example = 77)]
    id: i64,
    #[schema(example = 3)]
    type_id: Option<i64>,
    #[schema(example = 12)]
    contact_id: Option<i64>,
    #[schema(example = "R-1")]
    reference: Option<String>,
    description: Option<String>,
    /// `new`, `scheduled`, `sent`, `started`, `suspended`, `cancelled`, `completedOk` or `completedWithIssues`.
    #[schema(example = "sent")]
    status: &'static str,
    created_at: Time,
    /// The time from which it may run, when that was planned.
    planned_start_at: Option<Time>,
    /// First start.
    started_at: Option<Time>,
    ended_at: Option<Time>,
    cancellation_reason: Option<String>,
}

impl Job {
    /// `attributes` are what the interface that made it keeps of it.
    pub(super) fn new(job: &Stored, attributes: Option<&Value>) -> Self {
        // Another interface may keep something else by the same name.
        let number = |name: &str| attributes?.get(name)?.as_i64();
        let text = |name: &str| Some(attributes?.get(name)?.as_str()?.to_owned());
        Self {
            id: job.id,
            type_id: number("typeId"),
            contact_id: number("contactId"),
            reference: text("reference"),
            description: text("description"),
            status: word(job.state),
            created_at: Time(job.created_at),
            planned_start_at: planned(job).then_some(Time(job.run_at)),
            started_at: job.started_at.map(Time),
            ended_at: job.finished_at.map(Time),
            cancellation_reason: job.cancel().and_then(|mark| mark.reason),
        }
    }
}

/// Whether somebody named the time from which it may run. Otherwise that is the moment it was made, and after an attempt the
/// time of the next one.
fn planned(job: &Stored) -> bool {
    let first = match job.state {
        JobState::Open | JobState::Scheduled | JobState::Queued => job.fence == 0,
        JobState::Running
        | JobState::Suspended
        | JobState::Cancelling
        | JobState::Cancelled
        | JobState::Completed
        | JobState::Failed => job.fence <= 1,
    };
    first && job.run_at != job.created_at
}

/// The number of a job that was made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobsCreated)]
pub(super) struct Created {
    #[schema(example = 77)]
    pub(super) id: i64,
}
