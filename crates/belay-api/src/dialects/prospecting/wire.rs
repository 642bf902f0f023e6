//! The shapes of answers.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, HeaderValue, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use belay_core::JobState;
use belay_core::model::ProgressView;
use serde::Serialize;
use utoipa::ToSchema;

use super::map::word;
use crate::http::{Answer, Fault, Kind, Request, RequestId, json};
use crate::service::read::Seen;
use crate::time::Time;

/// What every answer is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a, T> {
    success: bool,
    data: Option<T>,
    error: Option<Trouble>,
    trace_id: &'a str,
}

/// Why there is no data.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProspectingTrouble)]
pub(super) struct Trouble {
    /// What kind of trouble it is.
    #[schema(example = "VALIDATION_ERROR")]
    code: &'static str,
    /// For people.
    message: String,
    /// The member, parameter or header that is wrong, or nothing.
    details: String,
}

/// An answer with data.
pub(super) fn success(request: &Request, status: StatusCode, data: impl Serialize) -> Answer {
    json(
        status,
        &Envelope {
            success: true,
            data: Some(data),
            error: None,
            trace_id: request.id.as_str(),
        },
    )
}

/// What a fault is here.
const fn trouble(kind: Kind) -> (StatusCode, &'static str) {
    match kind {
        Kind::Malformed | Kind::Invalid => (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
        Kind::Forbidden => (StatusCode::FORBIDDEN, "FORBIDDEN"),
        Kind::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND"),
        Kind::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"),
        Kind::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE"),
        Kind::Conflict => (StatusCode::CONFLICT, "CONFLICT"),
        Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE"),
        Kind::UnsupportedMediaType => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE")
        }
        Kind::Refused => (StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_ERROR"),
        Kind::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
        Kind::Unreachable => (StatusCode::BAD_GATEWAY, "UPSTREAM_ERROR"),
        Kind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE"),
    }
}

/// Writes a fault in the envelope.
pub(super) fn render(fault: &Fault, id: &RequestId, _: &HttpRequest) -> HttpResponse {
    let (status, code) = trouble(fault.kind);
    // In the same words whether it is the scope or the account group, and whatever is in there.
    let message = if fault.kind == Kind::Forbidden {
        "this API key lacks the scope for this, or has no access to this account group".to_owned()
    } else {
        fault.detail.clone()
    };
    let envelope = Envelope::<()> {
        success: false,
        data: None,
        error: Some(Trouble {
            code,
            message,
            details: fault.about.field.clone().unwrap_or_default(),
        }),
        trace_id: id.as_str(),
    };
    let mut answer = HttpResponse::build(status);
    answer.insert_header(ContentType::json());
    fault.put_headers(&mut answer);
    if fault.kind == Kind::Unauthenticated {
        answer.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
    }
    // It consists of texts, which always can be written.
    answer.body(serde_json::to_string(&envelope).unwrap_or_default())
}

/// A job that was cancelled.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProspectingCancelled)]
pub(super) struct Cancelled {
    /// The id asked for.
    #[schema(example = "6b065cb00000000000000009")]
    pub(super) job_id: String,
    /// Always `cancelled`, also while its worker is still winding down.
    #[schema(example = "cancelled")]
    pub(super) status: &'static str,
}

/// A job that was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProspectingCreated)]
pub(super) struct Created {
    #[schema(example = "6b065cb00000000000000009")]
    job_id: String,
    #[schema(example = "queued")]
    status: &'static str,
    created_at: Time,
}

impl From<&Seen> for Created {
    fn from(Seen { job, .. }: &Seen) -> Self {
        Self {
            job_id: job.key(),
            status: word(job.state),
            created_at: Time(job.created_at),
        }
    }
}

/// A job on a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProspectingItem)]
pub(super) struct Item {
    #[schema(example = "6b065cb00000000000000009")]
    job_id: String,
    /// Always `prospecting`.
    #[serde(rename = "type")]
    #[schema(example = "prospecting")]
    kind: &'static str,
    /// `queued`, `running`, `cancelled`, `completed` or `failed`.
    #[schema(example = "running")]
    status: &'static str,
    created_at: Time,
    updated_at: Time,
}

impl From<&Seen> for Item {
    fn from(Seen { job, progress }: &Seen) -> Self {
        let changes = [
            job.claimed_at,
            job.finished_at,
            job.cancel().map(|mark| mark.at),
            progress.as_ref().map(|progress| progress.updated_at),
        ];
        let updated = changes
            .into_iter()
            .flatten()
            .fold(job.created_at, std::cmp::Ord::max);
        Self {
            job_id: job.key(),
            kind: "prospecting",
            status: word(job.state),
            created_at: Time(job.created_at),
            updated_at: Time(updated),
        }
    }
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProspectingJob)]
pub(super) struct Job {
    #[serde(flatten)]
    item: Item,
    /// How far it is, by name; empty before it says.
    stages: BTreeMap<&'static str, Stage>,
    /// Why it failed, for a failed job.
    error: Option<JobError>,
}

/// A stage of a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProspectingStage)]
pub(super) struct Stage {
    #[schema(example = "running")]
    status: &'static str,
    /// From 0 to 1.
    #[schema(example = 0.5)]
    progress: f64,
}

/// Why a job failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProspectingJobError)]
pub(super) struct JobError {
    #[schema(example = "JOB_FAILED")]
    code: &'static str,
    message: String,
}

impl From<&Seen> for Job {
    fn from(seen: &Seen) -> Self {
        let job = &seen.job;
        let stage = seen.progress.as_ref().map(|progress| {
            let stage = Stage {
                status: word(job.state),
                progress: share(progress, job.state),
            };
            ("run", stage)
        });
        let error = (job.state == JobState::Failed).then(|| JobError {
            code: "JOB_FAILED",
            message: job
                .last_error
                .clone()
                .unwrap_or_else(|| "the job failed".to_owned()),
        });
        Self {
            item: Item::from(seen),
            stages: stage.into_iter().collect(),
            error,
        }
    }
}

/// How much of it is done, from 0 to 1.
fn share(progress: &ProgressView, state: JobState) -> f64 {
    match progress.total {
        Some(total) if total > 0 => (progress.done as f64 / total as f64).clamp(0.0, 1.0),
        // Nobody knows how much there is, until it is over.
        _ => f64::from(u8::from(state == JobState::Completed)),
    }
}

/// An account group.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProspectingAccount)]
pub(super) struct Account {
    #[schema(example = "6b065cb00000000000000001")]
    pub(super) id: String,
    #[schema(example = "default")]
    pub(super) name: String,
    pub(super) created_at: Time,
}

/// A page of something.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next_cursor: Option<String>,
    pub(super) has_more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(done: i64, total: Option<i64>) -> ProgressView {
        ProgressView {
            attempt: 1,
            done,
            total,
            message: None,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn shares_lie_between_0_and_1() {
        let running = JobState::Running;
        for (done, total, expected) in [
            (0, Some(4), 0.0),
            (3, Some(4), 0.75),
            (9, Some(4), 1.0),
            (9, Some(0), 0.0),
            (9, None, 0.0),
        ] {
            let share = share(&progress(done, total), running);
            assert!(
                (share - expected).abs() < 1e-9,
                "{done} of {total:?}: {share}"
            );
        }
        let over = share(&progress(9, None), JobState::Completed);
        assert!((over - 1.0).abs() < 1e-9);
    }
}
