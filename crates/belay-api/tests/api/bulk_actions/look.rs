//! See and list.

use belay_core::JobState;
use belay_core::ops::{self, BulkAttempt, BulkFilter, BulkKind, Verdict};
use serde_json::{Value, json};

use super::support::{JOBS, error, make, uid};
use crate::support::World;

#[test]
fn a_job_of_another_interface_is_shown_with_sensible_values() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop", "payload": {"a": [1, "b"]}}));
    let path = format!("{JOBS}/{}", uid(&world, id));
    let waiting = world.get(&path).expect(
        200,
        &json!({
            "job_id": uid(&world, id), "criteria_json": "{\"a\": [1, \"b\"]}", "action_type": "noop", "action_duration": 0,
            "action_reason": null, "scheduled_at": "[time]", "executed_at": null, "completed_at": null, "max_limit": 0,
            "preview_count": 0, "affected_count": 0, "status": "scheduled", "progress_percent": 0, "created_by": "root",
            "created_at": "[time]", "updated_at": "[time]"
        }),
    );
    assert_eq!(waiting["updated_at"], waiting["created_at"]);
    let (worker, job) = world.claim("noop");
    let progress = ops::ProgressRow {
        job: id,
        fence: job.fence,
        attempt: 1,
        done: 2,
        total: Some(3),
        message: None,
    };
    world
        .db
        .tx(|c| ops::save_progress(c, worker, std::slice::from_ref(&progress)))
        .unwrap();
    let running = world.get(&path).json();
    assert_eq!(
        (&running["status"], &running["progress_percent"]),
        (&json!("running"), &json!(66))
    );
    assert!(running["executed_at"].is_string());
    assert!(running["updated_at"].as_str() > waiting["updated_at"].as_str());
    world.report(&job, Verdict::Completed);
    let done = world.get(&path).json();
    assert_eq!(
        (&done["status"], &done["progress_percent"]),
        (&json!("completed"), &json!(100))
    );
    assert_eq!(done["updated_at"], done["completed_at"]);
    let head = world.send("HEAD", &path, &Value::Null);
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn each_state_has_its_word() {
    let world = World::new();
    for (state, word) in [
        (JobState::Open, "scheduled"),
        (JobState::Scheduled, "scheduled"),
        (JobState::Running, "running"),
        (JobState::Suspended, "running"),
        (JobState::Cancelling, "cancelled"),
        (JobState::Cancelled, "cancelled"),
        (JobState::Completed, "completed"),
        (JobState::Failed, "failed"),
        (JobState::Queued, "scheduled"),
    ] {
        let path = format!("{JOBS}/{}", uid(&world, make(&world, state)));
        assert_eq!(world.get(&path).json()["status"], word, "{state}");
    }
    for (word, expected) in [
        ("scheduled", 3),
        ("running", 2),
        ("cancelled", 2),
        ("completed", 1),
        ("failed", 1),
        ("", 9),
    ] {
        let page = world.get(&format!("{JOBS}?status={word}")).json();
        assert_eq!(page["total"], expected, "{word}");
        assert_eq!(page["jobs"].as_array().unwrap().len(), expected);
        for job in page["jobs"].as_array().unwrap() {
            assert!(word.is_empty() || job["status"] == word);
        }
    }
}

#[test]
fn pages_go_from_the_newest_to_the_oldest() {
    let world = World::new();
    let mut ids: Vec<String> = (0..60)
        .map(|_| uid(&world, world.enqueue(&json!({"kind": "noop"}))))
        .collect();
    ids.reverse();
    for (query, from, n) in [
        ("", 0, 50),
        ("?limit=200", 0, 60),
        ("?limit=7&offset=3", 3, 7),
        ("?offset=55", 55, 5),
        ("?offset=60", 60, 0),
        ("?offset=9000000000000000000", 60, 0),
        ("?limit=1&unknown=x", 0, 1),
    ] {
        let page = world.get(&format!("{JOBS}{query}")).json();
        let seen: Vec<&str> = page["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["job_id"].as_str().unwrap())
            .collect();
        assert_eq!(seen, ids[from..from + n], "{query}");
        assert_eq!(page["total"], 60, "{query}");
    }
    for (name, value) in [
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "x"),
        ("offset", "-1"),
        ("offset", "1.5"),
        ("status", "queued"),
        ("status", "Running"),
    ] {
        let reply = world.get(&format!("{JOBS}?{name}={value}"));
        error(&reply, JOBS, 400, &json!({ name: "[text]" }));
    }
}

#[test]
fn a_key_sees_the_jobs_of_every_tenant_it_may_touch_and_of_no_other() {
    let world = World::new();
    let other = world.tenant("other");
    world.tenant("third");
    let mut made = Vec::new();
    for tenant in ["default", "other", "third", "default", "other"] {
        let reply = world.post(
            &format!("/belay/v1/jobs?tenant={tenant}"),
            &json!({"kind": "noop"}),
        );
        made.push((tenant, reply.json()["uid"].as_str().unwrap().to_owned()));
    }
    made.reverse();
    for (tenants, names) in [
        (None, vec!["default", "other", "third"]),
        (Some(vec![1, other]), vec!["default", "other"]),
        (Some(vec![other]), vec!["other"]),
        (Some(vec![]), vec![]),
    ] {
        let key = world.key(
            &format!("k{}", names.len()),
            &["bulk:read", "bulk:write"],
            tenants.as_deref(),
        );
        let page = world.send_as(&key, "GET", JOBS, &Value::Null).json();
        let seen: Vec<&str> = page["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["job_id"].as_str().unwrap())
            .collect();
        let expected: Vec<&str> = made
            .iter()
            .filter(|(tenant, _)| names.contains(tenant))
            .map(|(_, uid)| uid.as_str())
            .collect();
        assert_eq!(seen, expected, "{names:?}");
        assert_eq!(page["total"], expected.len());
        for (tenant, uid) in &made {
            let path = format!("{JOBS}/{uid}");
            let reply = world.send_as(&key, "GET", &path, &Value::Null);
            if names.contains(tenant) {
                assert_eq!(reply.status, 200);
                continue;
            }
            error(&reply, &path, 404, &json!({}));
            let path = format!("{path}/cancel");
            let reply = world.send_as(&key, "POST", &path, &json!([]));
            error(&reply, &path, 404, &json!({}));
        }
    }
}

#[test]
fn a_walk_shows_how_far_it_is() {
    let world = World::new();
    for _ in 0..8 {
        world.enqueue(&json!({"kind": "noop"}));
    }
    let made = world.post(
        JOBS,
        &json!({"action_type": "cancel_jobs", "criteria": {"kind": "noop"}, "max_limit": 6}),
    );
    assert_eq!(made.json()["preview_count"], 8);
    let path = format!("{JOBS}/{}", made.json()["job_id"].as_str().unwrap());
    let (worker, job) = world.claim("cancel_jobs");
    let attempt = BulkAttempt {
        job: job.id,
        fence: job.fence,
        worker,
    };
    let filter = BulkFilter::parse(BulkKind::Cancel, r#"{"kind": "noop"}"#).unwrap();
    world
        .db
        .tx(|c| {
            ops::begin_bulk(c, attempt, BulkKind::Cancel)?;
            ops::note_bulk_total(c, job.id, 6)?;
            ops::bulk_step(c, attempt, &filter, 3, 100)
        })
        .unwrap();
    let seen = world.get(&path).json();
    assert_eq!(
        (
            &seen["status"],
            &seen["affected_count"],
            &seen["progress_percent"]
        ),
        (&json!("running"), &json!(3), &json!(50))
    );
    world
        .db
        .tx(|c| ops::bulk_step(c, attempt, &filter, 100, 100))
        .unwrap();
    world.report(&job, Verdict::Completed);
    let seen = world.get(&path).json();
    assert_eq!(
        (
            &seen["status"],
            &seen["affected_count"],
            &seen["progress_percent"],
            &seen["max_limit"]
        ),
        (&json!("completed"), &json!(6), &json!(100), &json!(6))
    );
    let left = world.get(&format!("{JOBS}?status=scheduled")).json();
    assert_eq!(left["total"], 2);
}

#[test]
fn a_repeated_bulk_action_shows_the_terms_of_the_first() {
    let world = World::new();
    let made = world.post(
        JOBS,
        &json!({
            "action_type": "cancel_jobs", "criteria": {"kind": "noop"}, "max_limit": 6, "action_reason": "why", "action_duration": 3
        }),
    );
    let uid = made.json()["job_id"].as_str().unwrap().to_owned();
    assert_eq!(
        world
            .post(&format!("{JOBS}/{uid}/cancel"), &Value::Null)
            .status,
        200
    );
    let again = world.post(&format!("/belay/v1/jobs/{uid}/retry"), &Value::Null);
    let path = format!("{JOBS}/{}", again.json()["uid"].as_str().unwrap());
    let seen = world.get(&path).json();
    assert_eq!(
        (
            &seen["max_limit"],
            &seen["action_reason"],
            &seen["action_duration"],
            &seen["status"]
        ),
        (&json!(6), &json!("why"), &json!(3), &json!("scheduled"))
    );
}

#[test]
fn what_was_deleted_of_a_job_is_not_shown_any_more() {
    let world = World::new();
    let made = world.post(
        JOBS,
        &json!({"action_type": "noop", "criteria": {"secret": 1}, "action_reason": "secret", "max_limit": 6}),
    );
    let uid = made.json()["job_id"].as_str().unwrap().to_owned();
    world.post(&format!("{JOBS}/{uid}/cancel"), &Value::Null);
    let path = format!("/belay/v1/jobs/{uid}/data");
    let deleted = world.send("DELETE", &path, &Value::Null);
    assert!(deleted.status < 300, "{}", deleted.text());
    let seen = world.get(&format!("{JOBS}/{uid}")).json();
    assert_eq!(
        (
            &seen["criteria_json"],
            &seen["action_reason"],
            &seen["max_limit"],
            &seen["status"]
        ),
        (&json!("{}"), &Value::Null, &json!(0), &json!("cancelled"))
    );
    // The deletion is a change too.
    assert!(seen["updated_at"].as_str() > seen["completed_at"].as_str());
}
