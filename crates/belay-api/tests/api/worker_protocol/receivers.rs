//! Reports of those who were handed a job by the executor `http`.

use belay_core::ops::{self, KindSpec};
use serde_json::{Value, json};

use super::support::job;
use crate::support::World;

/// A world with a job of the executor `http` that a daemon's worker holds: its number, the fence and the worker.
fn handed(world: &World) -> (i64, i64, i64) {
    let mut spec = KindSpec::new("hook", "http");
    spec.can_suspend = true;
    world
        .db
        .tx(|c| ops::register_kinds(c, std::slice::from_ref(&spec)))
        .unwrap();
    world.enqueue(&json!({"kind": "hook"}));
    let (worker, claimed) = world.claim("hook");
    (claimed.id, claimed.fence.into(), worker)
}

fn post(world: &World, key: &str, id: i64, verb: &str, body: &Value) -> crate::support::Reply {
    world.send_as(
        key,
        "POST",
        &format!("/belay/v1/worker/jobs/{id}/{verb}"),
        body,
    )
}

#[test]
fn a_receiver_reports_with_the_fence() {
    let world = World::new();
    let key = world.key("receiver", &["worker"], None);
    let (id, fence, worker) = handed(&world);
    let shown = json!({"fence": fence, "progress": {"done": 1, "total": 2}, "output": {"stdout": "so far"}});
    post(&world, &key, id, "beat", &shown).expect(200, &json!({"cancel": false, "suspend": false}));
    assert_eq!(job(&world, id)["progress"]["done"], 1);
    let stale = json!({"fence": fence + 1, "outcome": "completed"});
    let fenced = json!({"id": id, "fence": fence + 1, "accepted": false, "reason": "fenced_out"});
    post(&world, &key, id, "finish", &stale).problem(409, "refused", &fenced);
    post(&world, &key, id, "beat", &json!({"fence": fence + 1})).problem(409, "refused", &fenced);
    let good = json!({"fence": fence, "outcome": "completed", "output": {"stdout": "all", "exit_code": 0}});
    post(&world, &key, id, "finish", &good).expect(
        200,
        &json!({"id": id, "fence": fence, "accepted": true, "state": "completed"}),
    );
    let output = world.get(&format!("/belay/v1/jobs/{id}/output")).text();
    assert!(output.contains("\"stdout\":\"all\""), "{output}");
    let timeline = world.get(&format!("/belay/v1/jobs/{id}/timeline")).text();
    assert!(
        timeline.contains("reported") && timeline.contains("receiver"),
        "{timeline}"
    );
    // The daemon's worker finds that it holds the job no more, and a second report finds it gone.
    let fence = i32::try_from(fence).unwrap();
    assert_eq!(
        world
            .db
            .read(|c| ops::lost(c, worker, &[(id, fence)]))
            .unwrap(),
        [id]
    );
    assert_eq!(
        post(&world, &key, id, "finish", &good).json()["reason"],
        "fenced_out"
    );
}

#[test]
fn a_receiver_learns_of_a_cancel_and_of_a_suspension() {
    let world = World::new();
    let key = world.key("receiver", &["worker"], None);
    let (id, fence, _) = handed(&world);
    let act = |verb: &str| world.post(&format!("/belay/v1/jobs/{id}/{verb}"), &json!({}));
    assert_eq!(act("suspend").status, 200);
    let beat = || post(&world, &key, id, "beat", &json!({"fence": fence}));
    beat().expect(200, &json!({"cancel": false, "suspend": true}));
    let done = json!({"fence": fence, "outcome": "completed"});
    let before = world.contents();
    assert_eq!(
        post(&world, &key, id, "finish", &done).json()["reason"],
        "suspended"
    );
    assert_eq!(world.contents(), before);
    assert_eq!(act("resume").status, 200);
    assert_eq!(act("cancel").status, 200);
    beat().expect(200, &json!({"cancel": true, "suspend": false}));
    assert_eq!(
        post(&world, &key, id, "finish", &done).json()["state"],
        "cancelled"
    );
}

#[test]
fn only_jobs_of_the_executor_http_and_of_the_tenants_of_the_key() {
    let world = World::new();
    let key = world.key("receiver", &["worker"], None);
    let acme = world.tenant("acme");
    let stranger = world.key("stranger", &["worker"], Some(&[acme]));
    let (id, fence, _) = handed(&world);
    let other = world.running("noop");
    let done = json!({"fence": fence, "outcome": "completed"});
    let beat = json!({"fence": fence});
    let before = world.contents();
    for (verb, body) in [("finish", &done), ("beat", &beat)] {
        post(&world, &stranger, id, verb, body).problem(404, "not-found", &json!({}));
        post(&world, &key, 999_999, verb, body).problem(404, "not-found", &json!({}));
        post(&world, &key, other.id, verb, body).problem(
            409,
            "refused",
            &json!({"state": "running"}),
        );
        let path = format!("/belay/v1/worker/jobs/x/{verb}");
        world
            .send_as(&key, "POST", &path, body)
            .problem(400, "malformed", &json!({"field": "id"}));
    }
    for (body, field) in [
        (json!({"outcome": "completed"}), "fence"),
        (json!({"fence": 1}), "outcome"),
        (json!({"fence": 1, "outcome": "completed", "id": 7}), "id"),
    ] {
        post(&world, &key, id, "finish", &body).problem(422, "invalid", &json!({"field": field}));
    }
    assert_eq!(world.contents(), before);
}
