//! A job in each of the states.

use belay_core::JobState;
use belay_core::ops::{self, Actor, NewJob, Verdict, Via};
use serde_json::{Value, json};

use super::World;

/// All states, those first that take a job out of the line: a claim takes the oldest.
pub(crate) const ALL: [JobState; 9] = [
    JobState::Running,
    JobState::Suspended,
    JobState::Cancelling,
    JobState::Completed,
    JobState::Failed,
    JobState::Cancelled,
    JobState::Open,
    JobState::Scheduled,
    JobState::Queued,
];

/// A new job in that state.
pub(crate) fn job_in(world: &World, state: JobState) -> i64 {
    let actor = Actor::new("maker", Via::Native);
    match state {
        JobState::Open => {
            let job = NewJob::new("noop");
            world
                .db
                .tx(|c| ops::enqueue(c, 1, &job, None, true, &actor))
                .unwrap()
                .id
        }
        JobState::Scheduled => {
            world.enqueue(&json!({"kind": "noop", "run_at": "2100-01-01T00:00:00Z"}))
        }
        JobState::Queued => world.enqueue(&json!({"kind": "noop"})),
        JobState::Running => world.running("noop").id,
        JobState::Suspended => {
            // Jobs of the kind noop cannot be held still.
            let id = world.running("sleep").id;
            world
                .db
                .tx(|c| ops::suspend(c, Some(1), id, &actor, None))
                .unwrap();
            id
        }
        JobState::Cancelling => {
            let id = world.running("noop").id;
            cancel(world, id);
            id
        }
        JobState::Cancelled => {
            let id = world.enqueue(&json!({"kind": "noop"}));
            cancel(world, id);
            id
        }
        JobState::Completed => world.completed(),
        JobState::Failed => {
            let job = world.running("noop");
            let verdict = Verdict::Failed {
                error: "oh".into(),
                delay_s: 0.0,
                retry: false,
            };
            world.report(&job, verdict);
            job.id
        }
    }
}

/// Cancels through the native API.
pub(crate) fn cancel(world: &World, id: i64) {
    let reply = world.post(&format!("/belay/v1/jobs/{id}/cancel"), &Value::Null);
    assert_eq!(reply.status, 200, "{}", reply.text());
}
