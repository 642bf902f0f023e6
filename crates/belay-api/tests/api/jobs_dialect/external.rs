//! Work done by programs outside: start and result.

use belay_core::JobState;
use serde_json::{Value, json};

use super::{cancel, nothing, problem, unprocessable};
use crate::support::{World, at_once};

fn start(id: i64) -> String {
    format!("/v1/jobs/{id}/start")
}

fn result(id: i64) -> String {
    format!("/v1/jobs/{id}/result")
}

fn make(world: &World) -> i64 {
    let body = json!({"typeId": 1, "contactId": 1, "kind": "external"});
    world.ask("POST", "/v1/jobs", &body).json()["id"]
        .as_i64()
        .unwrap()
}

fn last(world: &World, id: i64) -> (String, Value) {
    let path = format!("/v1/jobs/{id}/statusHistory?direction=descending&pageSize=1");
    let entry = world.ask("GET", &path, &Value::Null).json()["items"][0].clone();
    (
        entry["status"].as_str().unwrap().to_owned(),
        entry["comment"].clone(),
    )
}

#[test]
fn a_job_is_started_and_reported() {
    let world = World::new();
    for (success, comment, word, told) in [
        (
            true,
            json!("all 12 pages"),
            "completedOk",
            json!("all 12 pages"),
        ),
        (true, Value::Null, "completedOk", Value::Null),
        (
            false,
            json!("nobody at home"),
            "completedWithIssues",
            json!("nobody at home"),
        ),
        (
            false,
            Value::Null,
            "completedWithIssues",
            json!("reported as failed, without a comment"),
        ),
    ] {
        let id = make(&world);
        nothing(&world.ask("PUT", &start(id), &Value::Null));
        let shown = world.shown(id);
        assert_eq!(shown["status"], "started");
        assert!(shown["startedAt"].is_string());
        nothing(&world.ask(
            "PUT",
            &result(id),
            &json!({"success": success, "comment": comment}),
        ));
        let shown = world.shown(id);
        assert_eq!(shown["status"], word);
        assert!(shown["endedAt"].is_string());
        assert_eq!(last(&world, id), (word.to_owned(), told));
    }
    // Nothing is left of those that held them.
    assert_eq!(
        world.get("/belay/v1/workers").json(),
        json!({"workers": []})
    );
}

#[test]
fn who_holds_a_job_is_seen_and_counts_as_no_worker() {
    let world = World::new();
    let key = world.key("crew", &["jobs:write"], None);
    let id = make(&world);
    nothing(&world.ask_of(&key, "1", "PUT", &start(id), &Value::Null));
    let workers = world.get("/belay/v1/workers").json();
    let worker = &workers["workers"][0];
    assert_eq!(
        (
            &worker["name"],
            &worker["slots"],
            &worker["running"],
            &worker["lease_ms"]
        ),
        (
            &json!("external:crew"),
            &json!(0),
            &json!(1),
            &json!(3_600_000)
        )
    );
    assert_eq!(world.get("/readyz").json()["status"], "ok");
    let metrics = world.get("/metrics").text();
    let alive = r#"belay_workers{state="alive"} 0"#;
    assert!(metrics.lines().any(|line| line == alive), "{metrics}");
}

#[test]
fn only_a_job_that_was_sent_can_be_started() {
    let world = World::new();
    for state in JobState::ALL.into_iter().filter(|s| *s != JobState::Queued) {
        let id = world.make(state).id;
        let before = world.contents();
        unprocessable(
            &world.ask("PUT", &start(id), &Value::Null),
            &start(id),
            &["status"],
        );
        assert_eq!(world.contents(), before, "{state}");
    }
    problem(
        &world.ask("PUT", &start(4711), &Value::Null),
        404,
        &start(4711),
    );
}

#[test]
fn a_job_in_other_hands_cannot_be_reported() {
    let world = World::new();
    for state in JobState::ALL {
        let id = world.make(state).id;
        let before = world.contents();
        unprocessable(
            &world.ask("PUT", &result(id), &json!({"success": true})),
            &result(id),
            &["status"],
        );
        assert_eq!(world.contents(), before, "{state}");
    }
    problem(
        &world.ask("PUT", &result(4711), &json!({})),
        404,
        &result(4711),
    );
}

#[test]
fn a_repeat_is_refused_and_changes_nothing() {
    let world = World::new();
    let id = make(&world);
    nothing(&world.ask("PUT", &start(id), &Value::Null));
    let before = world.contents();
    unprocessable(
        &world.ask("PUT", &start(id), &Value::Null),
        &start(id),
        &["status"],
    );
    assert_eq!(world.contents(), before);
    let body = json!({"success": true});
    nothing(&world.ask("PUT", &result(id), &body));
    let before = world.contents();
    unprocessable(
        &world.ask("PUT", &result(id), &body),
        &result(id),
        &["status"],
    );
    assert_eq!(world.contents(), before);
}

#[test]
fn what_was_cancelled_meanwhile_ends_so() {
    let world = World::new();
    let id = make(&world);
    nothing(&world.ask("PUT", &start(id), &Value::Null));
    // Through this interface it cannot be cancelled any more, through another it can.
    unprocessable(
        &world.ask("POST", &cancel(id), &Value::Null),
        &cancel(id),
        &["status"],
    );
    world.cancelled_by_maker(id);
    assert_eq!(world.seen(id).state, JobState::Cancelling);
    let reply = world.ask(
        "PUT",
        &result(id),
        &json!({"success": true, "comment": "too late"}),
    );
    unprocessable(&reply, &result(id), &["status"]);
    assert_eq!(world.seen(id).state, JobState::Cancelled);
    assert_eq!(last(&world, id), ("cancelled".to_owned(), json!("made so")));
    assert_eq!(
        world.get("/belay/v1/workers").json(),
        json!({"workers": []})
    );
}

#[test]
fn a_result_must_say_how_it_went() {
    let world = World::new();
    let id = make(&world);
    nothing(&world.ask("PUT", &start(id), &Value::Null));
    let before = world.contents();
    for (body, name) in [
        (json!({}), "success"),
        (Value::Null, "success"),
        (json!({"success": null}), "success"),
        (json!({"success": "yes"}), "success"),
        (json!({"success": true, "comment": 7}), "comment"),
        (
            json!({"success": true, "comment": "c".repeat(1001)}),
            "comment",
        ),
    ] {
        unprocessable(&world.ask("PUT", &result(id), &body), &result(id), &[name]);
    }
    problem(&world.ask("PUT", &result(id), &json!([])), 400, &result(id));
    assert_eq!(world.contents(), before);
}

#[test]
fn of_many_that_start_one_job_one_gets_it_and_of_many_reports_one_counts() {
    let world = World::new();
    let id = make(&world);
    let count = |replies: &[u16], status: u16| replies.iter().filter(|s| **s == status).count();
    let replies = at_once(10, || world.ask("PUT", &start(id), &Value::Null).status);
    assert_eq!((count(&replies, 204), count(&replies, 422)), (1, 9));
    let body = json!({"success": true});
    let replies = at_once(10, || world.ask("PUT", &result(id), &body).status);
    assert_eq!((count(&replies, 204), count(&replies, 422)), (1, 9));
}
