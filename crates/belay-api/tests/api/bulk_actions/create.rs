//! Make.

use belay_core::JobState;
use serde_json::{Value, json};

use super::support::{JOBS, error, make};
use crate::support::World;

#[test]
fn a_bulk_action_is_a_job_of_its_kind() {
    let world = World::new();
    let reply = world.post(
        JOBS,
        &json!({
            "action_type": "sleep", "criteria": {"seconds": 30}, "action_duration": 7, "action_reason": "to see it", "max_limit": 9,
            "scheduled_at": "2999-12-24T19:00:00+01:00", "unknown": true
        }),
    );
    let made = reply.expect(
        201,
        &json!({
            "job_id": "[uuid]", "criteria_json": "{\"seconds\": 30}", "action_type": "sleep", "action_duration": 7,
            "action_reason": "to see it", "scheduled_at": "2999-12-24T18:00:00.000Z", "executed_at": null, "completed_at": null,
            "max_limit": 9, "preview_count": 0, "affected_count": 0, "status": "scheduled", "progress_percent": 0,
            "created_by": "root", "created_at": "[time]", "updated_at": "[time]"
        }),
    );
    let place = format!("{JOBS}/{}", made["job_id"].as_str().unwrap());
    assert_eq!(reply.header("location"), Some(place.as_str()));
    assert_eq!(world.get(&place).json(), made);
    let native = world
        .get(&format!(
            "/belay/v1/jobs/{}",
            made["job_id"].as_str().unwrap()
        ))
        .json();
    assert_eq!(
        (&native["kind"], &native["state"], &native["payload"]),
        (
            &json!("sleep"),
            &json!("scheduled"),
            &json!({"seconds": 30})
        )
    );
}

#[test]
fn what_is_left_out_has_a_sensible_value() {
    let world = World::new();
    for body in [
        json!({"action_type": "noop"}),
        json!({
            "action_type": "noop", "criteria": null, "action_duration": null, "action_reason": null, "max_limit": null,
            "scheduled_at": null, "tenant": null
        }),
        json!({"action_type": "noop", "scheduled_at": "2000-01-01T00:00:00Z", "tenant": 1}),
    ] {
        let made = world.post(JOBS, &body).expect(
            201,
            &json!({
                "job_id": "[uuid]", "criteria_json": "{}", "action_type": "noop", "action_duration": 0, "action_reason": null,
                "scheduled_at": "[time]", "executed_at": null, "completed_at": null, "max_limit": 0, "preview_count": 0,
                "affected_count": 0, "status": "scheduled", "progress_percent": 0, "created_by": "root", "created_at": "[time]",
                "updated_at": "[time]"
            }),
        );
        let uid = made["job_id"].as_str().unwrap();
        let native = world.get(&format!("/belay/v1/jobs/{uid}")).json();
        assert_eq!(native["state"], "queued");
    }
}

#[test]
fn members_that_are_wrong_are_named() {
    let world = World::new();
    let before = world.contents();
    let fine = json!({"action_type": "cancel_jobs", "criteria": {"queue": "mail"}});
    for (name, values) in [
        (
            "action_type",
            vec![
                Value::Null,
                json!(7),
                json!(""),
                json!("unheard-of"),
                json!("a\u{1}b"),
            ],
        ),
        (
            "criteria",
            vec![
                json!([]),
                json!("x"),
                json!(7),
                json!({}),
                Value::Null,
                json!({"queues": "mail"}),
                json!({"queue": 7}),
                json!({"queue": null}),
                json!({"state": "done"}),
                json!({"state": "completed"}),
                json!({"created_before": "yesterday"}),
            ],
        ),
        (
            "action_duration",
            vec![json!(-1), json!(1.5), json!("1"), json!(1e300)],
        ),
        ("action_reason", vec![json!(7), json!("r".repeat(1001))]),
        ("max_limit", vec![json!(-1), json!(true), json!([])]),
        (
            "scheduled_at",
            vec![json!(0), json!("2026-12-24"), json!("2026-12-24T18:00:00")],
        ),
        ("tenant", vec![json!("default"), json!(1.5), json!({})]),
    ] {
        for value in values {
            let mut body = fine.clone();
            body[name] = value;
            let reply = world.post(JOBS, &body);
            error(&reply, JOBS, 400, &json!({ name: "[text]" }));
        }
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn the_filter_of_a_bulk_action_on_jobs_is_read_before_it_is_made() {
    let world = World::new();
    let reply = world.post(
        JOBS,
        &json!({"action_type": "cancel_jobs", "criteria": {"queue": "mail", "knid": "send"}}),
    );
    let body = error(&reply, JOBS, 400, &json!({"criteria": "[text]"}));
    assert_eq!(
        body["details"]["criteria"],
        "unknown member \"knid\"; cancel_jobs knows queue, kind, state, created_before and created_after"
    );
    assert_eq!(body["detail"], body["details"]["criteria"]);
}

#[test]
fn the_jobs_that_match_are_counted() {
    let world = World::new();
    let other = world.tenant("other");
    // The one that is queued comes last, so that none of the others is claimed in its place.
    for state in JobState::ALL {
        if state != JobState::Queued {
            make(&world, state);
        }
    }
    make(&world, JobState::Queued);
    world.enqueue(&json!({"kind": "noop", "queue": "elsewhere", "run_at": "2999-01-01T00:00:00Z"}));
    for (action, criteria, tenant, expected) in [
        ("cancel_jobs", json!({"kind": "sleep"}), 1, 5),
        ("cancel_jobs", json!({"queue": "elsewhere"}), 1, 1),
        ("cancel_jobs", json!({"state": "scheduled"}), 1, 2),
        ("cancel_jobs", json!({"state": ["open", "suspended"]}), 1, 2),
        ("retry_jobs", json!({"kind": "sleep"}), 1, 1),
        (
            "retry_jobs",
            json!({"state": ["completed", "failed", "cancelled"]}),
            1,
            3,
        ),
        ("retry_jobs", json!({"queue": "elsewhere"}), 1, 0),
        ("cancel_jobs", json!({"kind": "sleep"}), other, 0),
    ] {
        let reply = world.post(
            JOBS,
            &json!({
                "action_type": action, "criteria": criteria, "tenant": tenant, "scheduled_at": "2999-01-01T00:00:00Z", "max_limit": 1
            }),
        );
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert_eq!(
            reply.json()["preview_count"],
            expected,
            "{action} {criteria}"
        );
        // It must not count in the next one.
        let uid = reply.json()["job_id"].as_str().unwrap().to_owned();
        assert_eq!(
            world
                .post(&format!("{JOBS}/{uid}/cancel"), &Value::Null)
                .status,
            200
        );
        world.send(
            "DELETE",
            &format!("/belay/v1/jobs/{uid}/data"),
            &Value::Null,
        );
    }
}

#[test]
fn the_tenant_must_be_named_by_whoever_may_touch_several() {
    let world = World::new();
    let body = json!({"action_type": "noop"});
    assert_eq!(world.post(JOBS, &body).status, 201, "there is one tenant");
    let other = world.tenant("other");
    let third = world.tenant("third");
    error(
        &world.post(JOBS, &body),
        JOBS,
        400,
        &json!({"tenant": "[text]"}),
    );
    let both = world.key("both", &["bulk:write", "bulk:read"], Some(&[1, other]));
    let one = world.key("one", &["bulk:write"], Some(&[other]));
    let none = world.key("none", &["bulk:write"], Some(&[]));
    let ask = |key: &str, tenant: Value| {
        world.send_as(
            key,
            "POST",
            JOBS,
            &json!({"action_type": "noop", "tenant": tenant}),
        )
    };
    error(
        &ask(&both, Value::Null),
        JOBS,
        400,
        &json!({"tenant": "[text]"}),
    );
    assert_eq!(ask(&both, json!(other)).status, 201);
    let made = ask(&one, Value::Null);
    assert_eq!(made.status, 201, "{}", made.text());
    let native = world
        .get(&format!(
            "/belay/v1/jobs/{}?tenant=other",
            made.json()["job_id"].as_str().unwrap()
        ))
        .json();
    assert_eq!(native["tenant"], other);
    let unreachable: Vec<String> = [third, 99_999]
        .map(|tenant| {
            let reply = ask(&both, json!(tenant));
            error(&reply, JOBS, 403, &json!({}))["detail"].to_string()
        })
        .to_vec();
    assert_eq!(
        unreachable[0], unreachable[1],
        "a tenant that is not there looks like one of somebody else"
    );
    for tenant in [0, -1] {
        error(&ask(&both, json!(tenant)), JOBS, 403, &json!({}));
    }
    error(&ask(&none, Value::Null), JOBS, 403, &json!({}));
}
