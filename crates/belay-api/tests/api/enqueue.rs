//! Making jobs.

use serde_json::{Value, json};

use crate::support::{World, request};

#[test]
fn a_job_is_made_and_shown_whole() {
    let world = World::new();
    let reply = world.post(
        "/belay/v1/jobs",
        &json!({
            "kind": "sleep", "payload": {"seconds": 5}, "queue": "slow", "priority": 2, "run_at": "2099-01-02T03:04:05+01:00",
            "max_attempts": 3, "timeout_s": 60, "job_timeout_s": 600, "unique_key": "once"
        }),
    );
    let job = reply.expect(
        201,
        &json!({
            "id": "[number]", "uid": "[uuid]", "key": "[key]", "tenant": 1, "kind": "sleep", "queue": "slow", "priority": 2,
            "state": "scheduled", "attempt": 0, "max_attempts": 3, "fence": 0, "worker": null, "payload": {"seconds": 5},
            "progress": null, "error": null, "retry_of": null, "created_at": "[time]", "run_at": "2099-01-02T02:04:05.000Z",
            "started_at": null, "finished_at": null, "cancel": null
        }),
    );
    let place = format!("/belay/v1/jobs/{}", job["id"]);
    assert_eq!(reply.header("location"), Some(place.as_str()));
    for spelling in ["id", "uid", "key"] {
        let id = job[spelling].to_string();
        let reply = world.get(&format!("/belay/v1/jobs/{}", id.trim_matches('"')));
        assert_eq!(reply.json(), job, "{spelling}");
    }
}

#[test]
fn what_is_left_out_comes_from_the_kind() {
    let world = World::new();
    let job = world
        .post("/belay/v1/jobs", &json!({"kind": "noop"}))
        .json();
    assert_eq!(
        (
            &job["queue"],
            &job["priority"],
            &job["max_attempts"],
            &job["payload"],
            &job["state"]
        ),
        (
            &json!("default"),
            &json!(5),
            &json!(5),
            &json!({}),
            &json!("queued")
        )
    );
}

#[test]
fn numbers_in_a_payload_survive_whatever_their_size() {
    let world = World::new();
    let payload = r#"{"n": 123456789012345678901234567890, "price": 0.1000, "s": "\u00e9"}"#;
    let body = format!("\u{feff}{{\"kind\":\"noop\",\"payload\":{payload}}}");
    let bearer = format!("Bearer {}", world.admin);
    // No type at all is taken as JSON.
    let reply = request(
        world.address(),
        "POST",
        "/belay/v1/jobs",
        &[("Authorization", &bearer)],
        body.as_bytes(),
    );
    assert_eq!(reply.status, 201, "{}", reply.text());
    let text = reply.text();
    assert!(
        text.contains(
            r#""payload":{"n": 123456789012345678901234567890, "s": "é", "price": 0.1000}"#
        ),
        "{text}"
    );
}

#[test]
fn payloads_may_be_any_json() {
    let world = World::new();
    for payload in [
        json!(null),
        json!(7),
        json!("x"),
        json!([1, [2]]),
        json!(true),
    ] {
        let reply = world.post(
            "/belay/v1/jobs",
            &json!({"kind": "noop", "payload": payload}),
        );
        assert_eq!((reply.status, &reply.json()["payload"]), (201, &payload));
    }
}

#[test]
fn a_unique_key_answers_the_job_that_has_it() {
    let world = World::new();
    let asked = json!({"kind": "noop", "unique_key": "k"});
    let first = world.post("/belay/v1/jobs", &asked);
    let second = world.post("/belay/v1/jobs", &asked);
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(first.json(), second.json());
    assert_eq!(second.header("location"), None);
}

#[test]
fn an_idempotency_key_makes_one_job_of_many_requests() {
    let world = World::new();
    let send = |key: &str, body: &Value| {
        world.send_with(
            &world.admin,
            "POST",
            "/belay/v1/jobs",
            &[("Idempotency-Key", key)],
            body,
        )
    };
    let job = json!({"kind": "noop", "payload": {"a": 1}});
    let first = send("k1", &job);
    let again = send("k1", &job);
    let other = send("k2", &job);
    assert_eq!((first.status, again.status, other.status), (201, 200, 201));
    assert_eq!(first.json(), again.json());
    assert_ne!(first.json()["id"], other.json()["id"]);

    let before = world.contents();
    send("k1", &json!({"kind": "noop"})).problem(
        409,
        "conflict",
        &json!({"detail": "the idempotency key \"k1\" was used for another request. Use a new key for a new request; a key is kept for 24 hours."}),
    );
    let long = "x".repeat(256);
    for key in ["", &long] {
        send(key, &job).problem(400, "malformed", &json!({"field": "Idempotency-Key"}));
    }
    assert_eq!(world.contents(), before);
    assert_eq!(send(&long[..255], &job).status, 201);
}

#[test]
fn a_batch_is_made_whole_and_answered_in_order() {
    let world = World::new();
    let reply = world.post(
        "/belay/v1/jobs/batch",
        &json!({"jobs": [
            {"kind": "noop", "unique_key": "a"},
            {"kind": "sleep", "payload": {"seconds": 1}, "run_at": "2099-01-01T00:00:00Z"},
            {"kind": "noop", "unique_key": "a"}
        ]}),
    );
    let results = reply.expect(
        201,
        &json!({"results": [
            {"id": "[number]", "existed": false}, {"id": "[number]", "existed": false}, {"id": "[number]", "existed": true}
        ]}),
    );
    assert_eq!(results["results"][0]["id"], results["results"][2]["id"]);
    let second = world
        .get(&format!("/belay/v1/jobs/{}", results["results"][1]["id"]))
        .json();
    assert_eq!(
        (&second["kind"], &second["state"]),
        (&json!("sleep"), &json!("scheduled"))
    );

    let again = world.post(
        "/belay/v1/jobs/batch",
        &json!({"jobs": [{"kind": "noop", "unique_key": "a"}]}),
    );
    assert_eq!(again.status, 200);
    world
        .post("/belay/v1/jobs/batch", &json!({"jobs": []}))
        .expect(200, &json!({"results": []}));
}

#[test]
fn a_batch_with_one_wrong_job_makes_none() {
    let world = World::new();
    let before = world.contents();
    let good = json!({"kind": "noop"});
    for (bad, field) in [
        (json!({"kind": "noop", "pritority": 1}), "jobs[1].pritority"),
        (
            json!({"kind": "noop", "priority": "high"}),
            "jobs[1].priority",
        ),
        (json!({"kind": "noop", "priority": 12}), "priority"),
        (json!({"kind": "nope"}), "kind"),
        (json!({}), "jobs[1].kind"),
        (json!(7), "jobs[1]"),
    ] {
        world
            .post("/belay/v1/jobs/batch", &json!({"jobs": [good, bad, good]}))
            .problem(422, "invalid", &json!({"field": field}));
    }
    let many = vec![good.clone(); 10_001];
    world
        .post("/belay/v1/jobs/batch", &json!({"jobs": many}))
        .problem(422, "invalid", &json!({"field": "jobs", "detail": "jobs has 10001 entries, at most 10000 are allowed"}));
    world
        .send_with(
            &world.admin,
            "POST",
            "/belay/v1/jobs/batch",
            &[("Idempotency-Key", "k")],
            &json!({"jobs": [good]}),
        )
        .problem(400, "malformed", &json!({"field": "Idempotency-Key"}));
    assert_eq!(world.contents(), before);
}

#[test]
fn a_batch_may_be_larger_than_other_bodies() {
    let world = World::new();
    let large = "x".repeat(900_000);
    let job = json!({"kind": "noop", "payload": large});
    let reply = world.post("/belay/v1/jobs/batch", &json!({"jobs": [job, job, job]}));
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(world.post("/belay/v1/jobs", &job).status, 201);
    let jobs = vec![job; 20];
    world
        .post("/belay/v1/jobs/batch", &json!({"jobs": jobs}))
        .problem(
            413,
            "too-large",
            &json!({"detail": "the body is larger than the 16777216 bytes allowed here"}),
        );
}
