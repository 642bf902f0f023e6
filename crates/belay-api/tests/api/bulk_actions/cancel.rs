//! Cancel.

use std::sync::Barrier;

use belay_core::JobState;
use belay_core::ops::Verdict;
use serde_json::{Value, json};

use super::support::{JOBS, cancel_path, error, make, uid};
use crate::support::{World, request};

#[test]
fn the_answer_is_this_to_the_byte() {
    let world = World::new();
    let id = uid(&world, make(&world, JobState::Scheduled));
    let reply = world.post(&cancel_path(&id), &json!({"reason": "not needed"}));
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(
        reply.text(),
        format!(r#"{{"success":true,"job_id":"{id}","status":"cancelled"}}"#)
    );
}

#[test]
fn each_state_is_answered_as_the_table_says() {
    let world = World::new();
    for (state, refused_as) in [
        (JobState::Open, None),
        (JobState::Scheduled, None),
        (JobState::Queued, None),
        (JobState::Running, None),
        (JobState::Suspended, None),
        (JobState::Cancelling, Some("cancelled")),
        (JobState::Cancelled, Some("cancelled")),
        (JobState::Completed, Some("completed")),
        (JobState::Failed, Some("failed")),
    ] {
        let id = make(&world, state);
        let uid = uid(&world, id);
        let path = cancel_path(&uid);
        let before = world.contents();
        let reply = world.post(&path, &Value::Null);
        match refused_as {
            None => {
                reply.expect(
                    200,
                    &json!({"success": true, "job_id": uid, "status": "cancelled"}),
                );
                assert_eq!(
                    world.get(&format!("{JOBS}/{uid}")).json()["status"],
                    "cancelled"
                );
                // A second one has nothing to do any more.
                let before = world.contents();
                let again = world.post(&path, &Value::Null);
                error(&again, &path, 400, &json!({"status": "cancelled"}));
                assert_eq!(world.contents(), before);
            }
            Some(word) => {
                let body = error(&reply, &path, 400, &json!({ "status": word }));
                assert_eq!(
                    body["detail"],
                    format!("job {uid} cannot be cancelled: it is {word}")
                );
                assert_eq!(world.contents(), before, "{state}");
            }
        }
        // The line is emptied, so that the next one is claimed.
        let native = format!("/belay/v1/jobs/{id}/cancel");
        world.post(&native, &json!({"force": true}));
    }
}

#[test]
fn a_running_job_is_cancelled_at_once_and_what_its_worker_says_later_is_dropped() {
    let world = World::new();
    let job = world.running("noop");
    let uid = uid(&world, job.id);
    let reply = world.post(&cancel_path(&uid), &json!({"reason": "enough"}));
    assert_eq!(reply.status, 200);
    let seen = world.get(&format!("{JOBS}/{uid}")).json();
    assert_eq!(
        (&seen["status"], &seen["completed_at"]),
        (&json!("cancelled"), &Value::Null)
    );
    world.report(&job, Verdict::Completed);
    let seen = world.get(&format!("{JOBS}/{uid}")).json();
    assert_eq!(seen["status"], "cancelled");
    assert!(seen["completed_at"].is_string());
    let native = world.get(&format!("/belay/v1/jobs/{}", job.id)).json();
    assert_eq!(
        (
            &native["state"],
            &native["cancel"]["reason"],
            &native["cancel"]["actor"],
            &native["cancel"]["interface"]
        ),
        (
            &json!("cancelled"),
            &json!("enough"),
            &json!("root"),
            &json!("bulk-actions")
        )
    );
}

#[test]
fn any_object_or_nothing_is_a_body() {
    let world = World::new();
    let long = format!(r#"{{"reason":"{}"}}"#, "é".repeat(2000));
    for (body, content_type, reason) in [
        ("", None, None),
        ("", Some("text/plain"), None),
        ("{}", Some("application/json"), None),
        ("{}", None, None),
        (
            r#"{"x":[1]}"#,
            Some("application/json; charset=utf-8"),
            None,
        ),
        (r#"{"x":[1]}"#, Some("APPLICATION/JSON"), None),
        (r#"{"reason":"why"}"#, None, Some("why".to_owned())),
        (r#"{"reason":7}"#, None, None),
        (r#"{"reason":null}"#, None, None),
        ("\u{feff}{\"reason\":\"bom\"}", None, Some("bom".to_owned())),
        (&long, None, Some("é".repeat(1000))),
        // What nobody reads does no harm, and what cannot be kept keeps no job from being stopped.
        (r#"{"note":"\u0000","n":{"a":1,"a":2}}"#, None, None),
        (
            r#"{"reason":"a\u0000b"}"#,
            None,
            Some("a\u{fffd}b".to_owned()),
        ),
    ] {
        let id = make(&world, JobState::Queued);
        let uid = uid(&world, id);
        let bearer = format!("Bearer {}", world.admin);
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.extend(content_type.map(|value| ("Content-Type", value)));
        let path = cancel_path(&uid);
        let reply = request(world.address(), "POST", &path, &headers, body.as_bytes());
        assert_eq!(reply.status, 200, "{body}: {}", reply.text());
        let native = world.get(&format!("/belay/v1/jobs/{id}")).json();
        assert_eq!(native["cancel"]["reason"], json!(reason), "{body}");
    }
}

#[test]
fn what_is_no_object_is_no_body() {
    let world = World::new();
    let id = make(&world, JobState::Queued);
    let path = cancel_path(&uid(&world, id));
    let before = world.contents();
    let bearer = format!("Bearer {}", world.admin);
    let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(70), "]".repeat(70));
    for body in [
        "[]",
        r#""x""#,
        "{",
        "7",
        "null",
        "true",
        "{}{}",
        "{} x",
        r#"{"reason":"\ud800"}"#,
        &deep,
    ] {
        let headers = [("Authorization", bearer.as_str())];
        let reply = request(world.address(), "POST", &path, &headers, body.as_bytes());
        error(&reply, &path, 400, &json!({}));
    }
    let latin = request(
        world.address(),
        "POST",
        &path,
        &[("Authorization", &bearer)],
        b"{\"reason\":\"\xe9\"}",
    );
    error(&latin, &path, 400, &json!({}));
    assert_eq!(world.contents(), before);
}

#[test]
fn ids_are_uuids_in_either_case_and_nothing_else() {
    let world = World::new();
    let id = make(&world, JobState::Queued);
    let lower = uid(&world, id);
    let key = world.get(&format!("/belay/v1/jobs/{id}")).json()["key"].clone();
    let before = world.contents();
    for other in [
        id.to_string(),
        key.as_str().unwrap().to_owned(),
        lower.replace('-', ""),
        format!("{lower}0"),
        "x".repeat(36),
        "%20".to_owned(),
    ] {
        for (method, path) in [
            ("POST", cancel_path(&other)),
            ("GET", format!("{JOBS}/{other}")),
        ] {
            let reply = world.send(method, &path, &Value::Null);
            error(&reply, &path, 400, &json!({"id": "[text]"}));
        }
    }
    // Of the right form, but of no job: another time, another number, another version.
    let other_time = format!("00000000{}", &lower[8..]);
    let other_number = format!("{}ffff", &lower[..32]);
    for unknown in [
        other_time.as_str(),
        &other_number,
        "0e8e1a3c-5b0c-4b55-9c39-6d1f1f4b7a52",
        "00000000-0000-0000-0000-000000000000",
    ] {
        for (method, path) in [
            ("POST", cancel_path(unknown)),
            ("GET", format!("{JOBS}/{unknown}")),
        ] {
            let reply = world.send(method, &path, &Value::Null);
            let body = error(&reply, &path, 404, &json!({}));
            assert_eq!(body["detail"], format!("there is no job {unknown}"));
        }
    }
    assert_eq!(world.contents(), before);
    let upper = lower.to_uppercase();
    assert_ne!(upper, lower);
    world.post(&cancel_path(&upper), &Value::Null).expect(
        200,
        &json!({"success": true, "job_id": lower, "status": "cancelled"}),
    );
}

#[test]
fn of_two_cancels_at_once_one_is_accepted() {
    let world = World::new();
    for state in [JobState::Queued, JobState::Running] {
        for _ in 0..5 {
            let path = cancel_path(&uid(&world, make(&world, state)));
            let barrier = Barrier::new(2);
            let mut statuses = std::thread::scope(|scope| {
                [(); 2]
                    .map(|()| {
                        scope.spawn(|| {
                            barrier.wait();
                            world.post(&path, &Value::Null)
                        })
                    })
                    .map(|thread| thread.join().unwrap().status)
            });
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 400]);
        }
    }
}

#[test]
fn a_cancel_and_a_completion_never_both_win() {
    let world = World::new();
    for _ in 0..10 {
        let job = world.running("noop");
        let uid = uid(&world, job.id);
        let path = cancel_path(&uid);
        let barrier = Barrier::new(2);
        let reply = std::thread::scope(|scope| {
            let reply = scope.spawn(|| {
                barrier.wait();
                world.post(&path, &Value::Null)
            });
            barrier.wait();
            world.report(&job, Verdict::Completed);
            reply.join().unwrap()
        });
        let seen = world.get(&format!("{JOBS}/{uid}")).json();
        match reply.status {
            200 => assert_eq!(seen["status"], "cancelled"),
            400 => assert_eq!(seen["status"], "completed"),
            other => panic!("{other}"),
        }
    }
}
