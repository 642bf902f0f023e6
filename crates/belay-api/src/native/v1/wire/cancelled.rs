//! What a cancel answers.

use belay_core::JobState;
use belay_core::ops::Outcome;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{JobName, OutcomeName, StateName};
use crate::service::cancel::Cancelled;

/// What a cancel did to one job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": 77, "was": "running", "state": "cancelling", "outcome": "cancelling", "message": "its worker was told to stop; its processes get TERM, and whatever of them is left is killed at 2026-12-01T06:00:10.250Z"}))]
pub(crate) struct CancelAnswer {
    /// Its number; for a job that is missing what was asked for, as it was asked.
    #[schema(value_type = JobName)]
    id: Value,
    /// State before; `null` when missing.
    #[schema(value_type = Option<StateName>)]
    was: Option<JobState>,
    /// State now; `null` when missing.
    #[schema(value_type = Option<StateName>)]
    state: Option<JobState>,
    /// What happened.
    #[schema(value_type = OutcomeName)]
    outcome: Outcome,
    /// What happens now, in words.
    message: String,
}

/// What a cancel did to each job named, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CancelAnswers {
    pub(crate) results: Vec<CancelAnswer>,
}

impl From<&Cancelled> for CancelAnswer {
    fn from(cancelled: &Cancelled) -> Self {
        Self {
            id: cancelled.id.into(),
            was: cancelled.was,
            state: cancelled.state,
            outcome: cancelled.outcome,
            message: cancelled.words(),
        }
    }
}

impl CancelAnswer {
    /// The answer for a job that was asked for in these words. Whoever asked for one that is missing gets the words back: a
    /// spelling that fits no job may hold the number of one.
    pub(crate) fn asked(cancelled: &Cancelled, asked: &Value) -> Self {
        let mut answer = Self::from(cancelled);
        if cancelled.outcome == Outcome::Missing {
            answer.id = asked.clone();
        }
        answer
    }
}
