//! One job: looking at it, starting it, its tasks.

use std::time::Duration;

use belay_core::JobState;
use serde_json::{Value, json};

use super::{BASE, accepted, cancel_ids, expect, expect_failure, get, queued, send, status};
use crate::support::World;
use crate::support::vault_states::job_in;

#[track_caller]
fn expect_job(world: &World, id: i64, word: &str, started: bool, ended: bool) {
    let link = json!({
        "rel": "self", "href": format!("/api/v26.1/services/jobs/{id}"), "method": "GET", "accept": "application/json"
    });
    let mut data = json!({
        "id": id, "status": word, "method": "POST", "links": [link], "created_by": "root", "created_date": "[time]"
    });
    if started {
        data["run_start_date"] = "[time]".into();
    }
    if ended {
        data["run_end_date"] = "[time]".into();
    }
    expect(
        &get(world, &format!("/services/jobs/{id}")),
        200,
        &json!({"responseStatus": "SUCCESS", "responseMessage": "OK", "data": data}),
    );
}

#[test]
fn a_job_shows_when_it_began_and_ended_once_that_is_known() {
    let world = World::new();
    let done = world.completed();
    expect_job(&world, done, "SUCCESS", true, true);
    let running = world.running("noop").id;
    expect_job(&world, running, "RUNNING", true, false);
    let waiting = queued(&world, 1)[0];
    expect_job(&world, waiting, "QUEUED", false, false);
    assert_eq!(cancel_ids(&world, &[waiting]), [accepted(waiting)]);
    expect_job(&world, waiting, "CANCELLED", false, true);
}

#[test]
fn the_published_answer_comes_byte_for_byte() {
    let world = World::new();
    let id = world.completed();
    let reply = get(&world, &format!("/services/jobs/{id}"));
    let data = &reply.json()["data"];
    let time = |name: &str| data[name].as_str().unwrap().to_owned();
    assert_eq!(
        reply.text(),
        format!(
            "{{\"responseStatus\":\"SUCCESS\",\"responseMessage\":\"OK\",\"data\":{{\"id\":{id},\"status\":\"SUCCESS\",\"method\":\"POST\",\
             \"links\":[{{\"rel\":\"self\",\"href\":\"/api/v26.1/services/jobs/{id}\",\"method\":\"GET\",\"accept\":\"application/json\"}}],\
             \"created_by\":\"root\",\"created_date\":\"{}\",\"run_start_date\":\"{}\",\"run_end_date\":\"{}\"}}}}",
            time("created_date"),
            time("run_start_date"),
            time("run_end_date")
        )
    );
}

#[test]
fn what_is_no_job_is_invalid() {
    let world = World::new();
    world.tenant("other");
    let theirs = world.send_with(
        &world.admin,
        "POST",
        "/belay/v1/jobs",
        &[("Belay-Tenant", "other")],
        &json!({"kind": "noop"}),
    );
    let theirs = theirs.json()["id"].to_string();
    let mine = world.enqueue(&json!({"kind": "noop"}));
    let uid = world.get(&format!("/belay/v1/jobs/{mine}")).json()["uid"].clone();
    let uid = uid.as_str().unwrap();
    for (id, message) in [
        ("4711", "Job [4711] is not found".to_owned()),
        (&theirs, format!("Job [{theirs}] is not found")),
        (
            "9223372036854775807",
            "Job [9223372036854775807] is not found".into(),
        ),
        (
            "9223372036854775808",
            "Invalid job_id [9223372036854775808]".into(),
        ),
        ("0", "Invalid job_id [0]".into()),
        ("-1", "Invalid job_id [-1]".into()),
        ("x%3Cy", "Invalid job_id [x<y]".into()),
        // Here jobs are named by number.
        (uid, format!("Invalid job_id [{uid}]")),
    ] {
        for (method, path) in [
            ("GET", format!("{BASE}/services/jobs/{id}")),
            ("GET", format!("{BASE}/services/jobs/{id}/tasks")),
            ("POST", format!("{BASE}/services/jobs/start_now/{id}")),
        ] {
            let reply = send(&world, method, &path, &[], "");
            assert_eq!(
                expect_failure(&reply, 200, "INVALID_DATA"),
                message,
                "{method} {path}"
            );
        }
    }
}

#[test]
fn looking_too_often_is_refused_where_that_is_set() {
    let world = World::with(|builder| builder.vault_status_interval(Duration::from_secs(600)));
    let ids = queued(&world, 2);
    let other = world.key("other", &["vault:read"], None);
    for id in ids {
        let path = format!("/services/jobs/{id}");
        assert_eq!(get(&world, &path).json()["responseStatus"], "SUCCESS");
        let reply = get(&world, &path);
        expect_failure(&reply, 200, "API_LIMIT_EXCEEDED");
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((500..=600).contains(&wait), "{wait}");
        let reply = super::send_as(&world, &other, "GET", &format!("{BASE}{path}"), &[], "");
        assert_eq!(reply.json()["responseStatus"], "SUCCESS");
        // Everything else goes on.
        assert_eq!(
            get(&world, &format!("{path}/tasks")).json()["responseStatus"],
            "SUCCESS"
        );
    }
    for _ in 0..2 {
        let reply = get(&world, "/services/jobs/4711");
        expect_failure(&reply, 200, "INVALID_DATA");
    }
}

#[test]
fn looking_often_is_fine_otherwise() {
    let world = World::new();
    let id = queued(&world, 1)[0];
    for _ in 0..5 {
        assert_eq!(status(&world, id), "QUEUED");
    }
}

fn start(world: &World, id: i64) -> crate::support::Reply {
    let path = format!("{BASE}/services/jobs/start_now/{id}");
    send(world, "POST", &path, &[], "")
}

#[test]
fn a_scheduled_job_can_be_started_now() {
    let world = World::new();
    let id = job_in(&world, JobState::Scheduled);
    let body: Value = json!({"responseStatus": "SUCCESS", "url": format!("/api/v26.1/services/jobs/{id}"), "job_id": id});
    expect(&start(&world, id), 200, &body);
    assert_eq!(status(&world, id), "QUEUED");
    // A client that sends it again gets the same answer, and nothing more happens.
    let before = world.contents();
    expect(&start(&world, id), 200, &body);
    assert_eq!(world.contents(), before);
    assert_eq!(world.claim("noop").1.id, id);
}

#[test]
fn nothing_else_can_be_started() {
    let world = World::new();
    for state in crate::support::vault_states::ALL {
        if matches!(state, JobState::Scheduled | JobState::Queued) {
            continue;
        }
        let id = job_in(&world, state);
        let before = world.contents();
        let message = expect_failure(&start(&world, id), 200, "INVALID_DATA");
        assert_eq!(
            message,
            format!("Job [{id}] is not found in SCHEDULED state")
        );
        assert_eq!(world.contents(), before, "{state}");
    }
}

#[test]
fn there_are_no_tasks() {
    let world = World::new();
    let id = queued(&world, 1)[0];
    expect(
        &get(&world, &format!("/services/jobs/{id}/tasks")),
        200,
        &json!({
            "responseStatus": "SUCCESS", "url": format!("/api/v26.1/services/jobs/{id}/tasks"),
            "responseDetails": {"total": 0, "limit": 50, "offset": 0}, "job_id": id, "tasks": []
        }),
    );
}
