//! Create.

use belay_core::JobState;
use belay_core::ops::Verdict;
use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{failure, group, jobs, success};
use crate::support::{Reply, World, at_once};

fn with_key(world: &World, key: &str, body: &Value) -> Reply {
    let headers = [("Idempotency-Key", key)];
    world.send_with(&world.admin, "POST", &jobs(world), &headers, body)
}

/// The number of the job in an answer.
fn number(data: &Value) -> i64 {
    i64::from_str_radix(&data["jobId"].as_str().unwrap()[8..], 16).unwrap()
}

#[test]
fn a_job_of_a_registered_kind_is_one_of_that_kind() {
    let world = World::new();
    let body = json!({"type": "sleep", "seconds": 30, "note": {"n": 1.10}});
    let data = success(
        &world.post(&jobs(&world), &body),
        202,
        &json!({"jobId": "[key]", "status": "queued", "createdAt": "[time]"}),
    );
    let job = world.seen(number(&data));
    assert_eq!(
        (job.kind.as_str(), job.created_via.as_str()),
        ("sleep", "prospecting")
    );
    assert_eq!(job.state, JobState::Queued);
    let payload: Value = serde_json::from_str(&job.payload).unwrap();
    assert_eq!(payload, body);
}

#[test]
fn a_job_of_any_other_type_waits_in_the_line_of_its_own_kind() {
    let world = World::new();
    let body = json!({"type": "find-leads", "region": "north"});
    let data = success(
        &world.post(&jobs(&world), &body),
        202,
        &json!({"jobId": "[key]", "status": "queued", "createdAt": "[time]"}),
    );
    let job = world.seen(number(&data));
    assert_eq!(
        (job.kind.as_str(), job.state),
        ("prospecting", JobState::Queued)
    );
    let path = format!("{}/{}", jobs(&world), job.key());
    assert_eq!(world.get(&path).json()["data"]["type"], "prospecting");
}

#[test]
fn a_time_to_come_makes_it_wait_and_is_no_part_of_the_payload() {
    let world = World::new();
    let at = Utc::now() + TimeDelta::hours(1);
    let text = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    for (run_at, state) in [
        (json!(text), JobState::Scheduled),
        (json!("2001-01-01T00:00:00+02:00"), JobState::Queued),
        (Value::Null, JobState::Queued),
    ] {
        let body = json!({"type": "noop", "runAt": run_at});
        let data = success(
            &world.post(&jobs(&world), &body),
            202,
            &json!({"jobId": "[key]", "status": "queued", "createdAt": "[time]"}),
        );
        let job = world.seen(number(&data));
        assert_eq!(job.state, state, "{run_at}");
        assert_eq!(job.payload, r#"{"type": "noop"}"#);
    }
}

#[test]
fn what_cannot_be_made_is_refused() {
    let world = World::new();
    let before = world.contents();
    for body in [
        json!({}),
        json!({"type": null}),
        json!({"type": 7}),
        json!({"type": ""}),
        json!({"type": "noop", "runAt": "tomorrow"}),
        json!({"type": "noop", "runAt": 7}),
        json!({"type": "noop", "runAt": "0000-01-01T00:00:00Z"}),
        json!([]),
        json!("noop"),
    ] {
        failure(&world.post(&jobs(&world), &body), 400, "VALIDATION_ERROR");
    }
    // No body at all.
    failure(
        &world.post(&jobs(&world), &Value::Null),
        400,
        "VALIDATION_ERROR",
    );
    assert_eq!(world.contents(), before);
}

#[test]
fn the_same_request_makes_one_job() {
    let world = World::new();
    let body = json!({"type": "sleep", "seconds": 1});
    let shape = json!({"jobId": "[key]", "status": "queued", "createdAt": "[time]"});
    let first = success(&with_key(&world, "k1", &body), 202, &shape);
    assert_eq!(success(&with_key(&world, "k1", &body), 202, &shape), first);
    // Members in another order are the same body.
    let id = number(&first);
    let made = world.start(id);
    let running = success(
        &with_key(&world, "k1", &body),
        202,
        &json!({
            "jobId": first["jobId"], "status": "running", "createdAt": first["createdAt"]
        }),
    );
    assert_eq!(running["jobId"], first["jobId"]);
    world.settle(made, Verdict::Completed);
    success(
        &with_key(&world, "k1", &body),
        200,
        &json!({
            "jobId": first["jobId"], "status": "completed", "createdAt": first["createdAt"]
        }),
    );

    let before = world.contents();
    for other in [
        json!({"type": "sleep", "seconds": 2}),
        json!({"type": "noop"}),
        json!({"type": "sleep", "seconds": 1, "runAt": "2999-01-01T00:00:00Z"}),
    ] {
        failure(&with_key(&world, "k1", &other), 409, "CONFLICT");
    }
    assert_eq!(world.contents(), before);
    let second = success(&with_key(&world, "k2", &body), 202, &shape);
    assert_ne!(second["jobId"], first["jobId"]);
}

#[test]
fn keys_belong_to_an_account_group() {
    let world = World::new();
    let other = world.tenant("other");
    let path = format!("/v1/accounts/{}/prospecting", group(&world, other));
    let headers = [("Idempotency-Key", "k")];
    let make = |path: &str, kind: &str| {
        let body = json!({"type": kind});
        world.send_with(&world.admin, "POST", path, &headers, &body)
    };
    assert_eq!(make(&jobs(&world), "noop").status, 202);
    assert_eq!(make(&path, "sleep").status, 202);
    assert_eq!(make(&path, "noop").status, 409);
}

#[test]
fn keys_that_are_none_are_refused() {
    let world = World::new();
    let before = world.contents();
    let body = json!({"type": "noop"});
    let long = "k".repeat(256);
    for key in ["", "a b", "a\tb", "é", &long] {
        let error = failure(&with_key(&world, key, &body), 400, "VALIDATION_ERROR");
        assert_eq!(error["details"], "Idempotency-Key", "{key:?}");
    }
    let twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    let reply = world.send_with(&world.admin, "POST", &jobs(&world), &twice, &body);
    failure(&reply, 400, "VALIDATION_ERROR");
    assert_eq!(world.contents(), before);
    for key in ["!~", &long[..255]] {
        assert_eq!(with_key(&world, key, &body).status, 202, "{key}");
    }
}

#[test]
fn of_many_requests_with_one_key_one_makes_the_job() {
    let world = World::new();
    let body = json!({"type": "noop"});
    let replies = at_once(20, || with_key(&world, "k", &body));
    let first = replies[0].json()["data"]["jobId"].clone();
    for reply in &replies {
        assert_eq!(reply.status, 202);
        assert_eq!(reply.json()["data"]["jobId"], first);
    }
    let all = world.get(&jobs(&world)).json();
    assert_eq!(all["data"]["items"].as_array().unwrap().len(), 1);
}
