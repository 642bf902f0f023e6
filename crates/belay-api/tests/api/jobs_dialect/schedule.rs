//! Planning a job anew.

use belay_core::JobState;
use serde_json::{Value, json};

use super::{nothing, problem, unprocessable};
use crate::support::World;

fn path(id: i64) -> String {
    format!("/v1/jobs/{id}/schedule")
}

const LATER: &str = "2999-12-24T18:00:00.000Z";

#[test]
fn each_state_allows_what_it_can() {
    let world = World::new();
    for (state, at, status, word) in [
        (JobState::Open, json!(LATER), 204, "new"),
        (JobState::Open, Value::Null, 204, "new"),
        (JobState::Scheduled, json!(LATER), 204, "scheduled"),
        (JobState::Scheduled, Value::Null, 204, "sent"),
        (
            JobState::Scheduled,
            json!("2001-01-01T00:00:00Z"),
            204,
            "sent",
        ),
        (JobState::Queued, Value::Null, 204, "sent"),
        (JobState::Queued, json!("2001-01-01T00:00:00Z"), 204, "sent"),
        (JobState::Queued, json!(LATER), 422, "sent"),
        (JobState::Running, Value::Null, 422, "started"),
        (JobState::Suspended, json!(LATER), 422, "suspended"),
        (JobState::Cancelling, Value::Null, 422, "cancelled"),
        (JobState::Cancelled, json!(LATER), 422, "cancelled"),
        (JobState::Completed, Value::Null, 422, "completedOk"),
        (JobState::Failed, json!(LATER), 422, "completedWithIssues"),
    ] {
        let id = world.make(state).id;
        let before = world.contents();
        let reply = world.ask("PUT", &path(id), &json!({"plannedStartAt": at}));
        if status == 204 {
            nothing(&reply);
        } else {
            let body = unprocessable(&reply, &path(id), &["status"]);
            assert!(body["detail"].as_str().unwrap().ends_with(word), "{body}");
            assert_eq!(world.contents(), before, "{state} {at}");
        }
        let shown = world.shown(id);
        assert_eq!(shown["status"], word, "{state} {at}");
        if status == 204 && at == LATER {
            assert_eq!(shown["plannedStartAt"], LATER);
        }
    }
    let again = world.queued_again();
    unprocessable(
        &world.ask("PUT", &path(again), &json!({"plannedStartAt": null})),
        &path(again),
        &["status"],
    );
}

#[test]
fn the_time_of_another_attempt_is_no_plan() {
    let world = World::new();
    let again = world.queued_again();
    assert_eq!(world.shown(again)["plannedStartAt"], Value::Null);
}

#[test]
fn who_planned_it_is_on_record() {
    let world = World::new();
    let id = world.make(JobState::Scheduled).id;
    nothing(&world.ask("PUT", &path(id), &json!({"plannedStartAt": LATER})));
    let events = world.get(&format!("/belay/v1/jobs/{id}/timeline")).json();
    let event = &events["events"][1];
    assert_eq!(
        (
            &event["event"],
            &event["actor"],
            &event["interface"],
            &event["detail"]["run_at"]
        ),
        (
            &json!("rescheduled"),
            &json!("root"),
            &json!("jobs"),
            &json!("2999-12-24T18:00:00.000000Z")
        )
    );
}

#[test]
fn a_time_must_be_named_or_null() {
    let world = World::new();
    let id = world.make(JobState::Scheduled).id;
    let before = world.contents();
    for body in [
        Value::Null,
        json!({}),
        json!({"plannedStart": null}),
        json!({"plannedStartAt": "now"}),
        json!({"plannedStartAt": 7}),
        json!({"plannedStartAt": "0000-01-01T00:00:00Z"}),
    ] {
        unprocessable(
            &world.ask("PUT", &path(id), &body),
            &path(id),
            &["plannedStartAt"],
        );
    }
    problem(&world.ask("PUT", &path(id), &json!([])), 400, &path(id));
    problem(&world.ask("PUT", &path(4711), &json!({})), 404, &path(4711));
    assert_eq!(world.contents(), before);
}
