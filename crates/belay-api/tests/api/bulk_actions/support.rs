//! What these tests share.

use belay_core::JobState;
use belay_core::ops::{self, Actor, CancelLimit, NewJob, Verdict, Via};
use serde_json::{Value, json};

use crate::support::{Reply, World, assert_matches};

pub(super) const JOBS: &str = "/api/actions/bulk/jobs";

/// The UUID of a job.
#[track_caller]
pub(super) fn uid(world: &World, id: i64) -> String {
    let job = world.get(&format!("/belay/v1/jobs/{id}")).json();
    job["uid"].as_str().unwrap().to_owned()
}

pub(super) fn cancel_path(uid: &str) -> String {
    format!("{JOBS}/{uid}/cancel")
}

/// Makes a job in a state and answers its number.
#[track_caller]
pub(super) fn make(world: &World, state: JobState) -> i64 {
    let actor = Actor::new("test", Via::Native);
    let enqueue = |job: &NewJob, open: bool| {
        world
            .db
            .tx(|c| ops::enqueue(c, 1, job, None, open, &actor))
            .unwrap()
            .id
    };
    let cancel = |id: i64| {
        world
            .db
            .tx(|c| ops::cancel_one(c, None, id, &actor, None, CancelLimit::Any))
            .unwrap();
    };
    match state {
        JobState::Open => return enqueue(&NewJob::new("sleep"), true),
        JobState::Scheduled => {
            let job = NewJob {
                run_at: chrono::Utc::now().checked_add_signed(chrono::TimeDelta::hours(1)),
                ..NewJob::new("sleep")
            };
            return enqueue(&job, false);
        }
        JobState::Queued => return enqueue(&NewJob::new("sleep"), false),
        _ => {}
    }
    let job = world.running("sleep");
    match state {
        JobState::Suspended => {
            world
                .db
                .tx(|c| ops::suspend(c, None, job.id, &actor, None))
                .unwrap();
        }
        JobState::Cancelling => cancel(job.id),
        JobState::Cancelled => {
            cancel(job.id);
            world.report(&job, Verdict::Completed);
        }
        JobState::Completed => world.report(&job, Verdict::Completed),
        JobState::Failed => world.report(
            &job,
            Verdict::Failed {
                error: "made to fail".into(),
                delay_s: 0.0,
                retry: false,
            },
        ),
        JobState::Running | JobState::Open | JobState::Scheduled | JobState::Queued => {}
    }
    job.id
}

/// Asserts that this is an error of that status with these `details`, and all eight members. The value of a detail may be
/// `[text]`.
#[track_caller]
pub(super) fn error(reply: &Reply, path: &str, status: u16, details: &Value) -> Value {
    assert_eq!(reply.status, status, "{path}: {}", reply.text());
    assert_eq!(
        reply.header("content-type"),
        Some("application/problem+json")
    );
    let title = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        other => panic!("{other} is not a status of this interface"),
    };
    let body = reply.json();
    assert_matches(
        &body,
        &json!({
            "type": "about:blank", "title": title, "status": status, "detail": "[text]", "instance": path, "error": "[text]",
            "details": details, "requestId": reply.header("x-request-id").unwrap()
        }),
    );
    assert_eq!(body["error"], body["detail"]);
    body
}
