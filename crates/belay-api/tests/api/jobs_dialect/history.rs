//! The history of a job's status.

use belay_core::JobState;
use belay_core::ops::{self, Actor, Verdict, Via};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{cancel, nothing, problem};
use crate::support::{World, assert_matches};

fn page(world: &World, id: i64, query: &str) -> Value {
    let path = format!("/v1/jobs/{id}/statusHistory?{query}");
    let reply = world.ask("GET", &path, &Value::Null);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// Status and comment of each entry, and that they are in order.
fn told(world: &World, id: i64) -> Vec<(String, Option<String>)> {
    let page = page(world, id, "");
    let items = page["items"].as_array().unwrap();
    let time = |item: &Value| item["createdAt"].as_str().unwrap().to_owned();
    for (i, item) in items.iter().enumerate() {
        assert_eq!(item["id"], i + 1);
        assert!(i == 0 || time(&items[i - 1]) <= time(item), "{items:?}");
    }
    items
        .iter()
        .map(|item| {
            let text = |name: &str| item[name].as_str().map(ToOwned::to_owned);
            (text("status").unwrap(), text("comment"))
        })
        .collect()
}

fn plain(told: &[(String, Option<String>)]) -> Vec<&str> {
    told.iter().map(|(status, _)| status.as_str()).collect()
}

#[test]
fn each_state_was_reached_by_its_way() {
    let world = World::new();
    for (state, way) in [
        (JobState::Open, vec!["new"]),
        (JobState::Scheduled, vec!["scheduled"]),
        (JobState::Queued, vec!["sent"]),
        (JobState::Running, vec!["sent", "started"]),
        (JobState::Suspended, vec!["sent", "started", "suspended"]),
        (JobState::Cancelling, vec!["sent", "started", "cancelled"]),
        // That the worker stopped changes nothing that is told here.
        (JobState::Cancelled, vec!["sent", "started", "cancelled"]),
        (JobState::Completed, vec!["sent", "started", "completedOk"]),
        (
            JobState::Failed,
            vec!["sent", "started", "completedWithIssues"],
        ),
    ] {
        let id = world.make(state).id;
        let told = told(&world, id);
        assert_eq!(plain(&told), way, "{state}");
        let comment = match state {
            JobState::Cancelling | JobState::Cancelled => Some("made so"),
            JobState::Failed => Some("made to fail"),
            _ => None,
        };
        assert_eq!(told.last().unwrap().1.as_deref(), comment, "{state}");
    }
}

#[test]
fn the_reason_of_a_cancel_is_its_comment() {
    let world = World::new();
    let id = world.make(JobState::Scheduled).id;
    nothing(&world.ask("POST", &cancel(id), &json!({"reason": "moved away"})));
    assert_matches(
        &page(&world, id, ""),
        &json!({
            "items": [
                {"id": 1, "status": "scheduled", "createdAt": "[time]", "comment": null},
                {"id": 2, "status": "cancelled", "createdAt": "[time]", "comment": "moved away"}
            ],
            "pageNumber": 1, "pageSize": 100, "pageItemCount": 2, "totalItemCount": 2
        }),
    );
}

#[test]
fn that_a_job_had_its_turn_is_told_though_nobody_wrote_it_down() {
    let world = World::new();
    let id = world.make(JobState::Scheduled).id;
    let me = Actor::new("test", Via::Native);
    let soon = Utc::now() + TimeDelta::milliseconds(1);
    // Planned for a moment that comes at once.
    let planned = world.db.tx(|c| ops::schedule(c, None, id, Some(soon), &me));
    if planned.unwrap() == JobState::Scheduled {
        belay_testkit::eventually(std::time::Duration::from_secs(30), || {
            (world.db.read(|c| ops::promote(c, 10)).unwrap() == 1).then_some(())
        });
    }
    assert_eq!(plain(&told(&world, id)), ["scheduled", "sent"]);
    let made = world.start(id);
    assert_eq!(plain(&told(&world, id)), ["scheduled", "sent", "started"]);
    world.settle(
        made,
        Verdict::Failed {
            error: "try again".into(),
            delay_s: 0.0,
            retry: true,
        },
    );
    world.db.read(|c| ops::promote(c, 10)).unwrap();
    world.start(id);
    let all = told(&world, id);
    assert_eq!(
        plain(&all),
        [
            "scheduled",
            "sent",
            "started",
            "scheduled",
            "sent",
            "started"
        ]
    );
    assert_eq!(all[3].1.as_deref(), Some("try again"));
}

#[test]
fn an_upload_that_was_closed_was_new() {
    let world = World::new();
    let id = world.make(JobState::Open).id;
    let me = Actor::new("test", Via::Native);
    world.db.tx(|c| ops::close(c, None, id, &me)).unwrap();
    assert_eq!(plain(&told(&world, id)), ["new", "sent"]);
}

#[test]
fn a_turn_is_told_with_its_time() {
    let world = World::new();
    let path = "/v1/jobs";
    let made = world.ask(
        "POST",
        path,
        &json!({"typeId": 1, "contactId": 1, "plannedStartAt": "2001-01-01T00:00:00Z"}),
    );
    let id = made.json()["id"].as_i64().unwrap();
    // A time that had gone when it was made: it never waited for it.
    assert_eq!(plain(&told(&world, id)), ["sent"]);
    let id = world.make(JobState::Scheduled).id;
    let before = world.seen(id);
    let reply = world.ask(
        "PUT",
        &format!("/v1/jobs/{id}/schedule"),
        &json!({"plannedStartAt": null}),
    );
    nothing(&reply);
    let items = page(&world, id, "")["items"].clone();
    let at: DateTime<Utc> = items[1]["createdAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(items[1]["status"], "sent");
    assert!(at < before.run_at, "{at}");
}

#[test]
fn it_can_be_turned_round_and_paged() {
    let world = World::new();
    let id = world.make(JobState::Completed).id;
    let words = |query: &str| -> Vec<String> {
        let page = page(&world, id, query);
        assert_eq!(page["totalItemCount"], 3);
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|i| format!("{}{}", i["id"], i["status"].as_str().unwrap()))
            .collect()
    };
    let up = ["1sent", "2started", "3completedOk"];
    assert_eq!(words("sortBy=createdAt&direction=ascending"), up);
    assert_eq!(
        words("direction=descending"),
        ["3completedOk", "2started", "1sent"]
    );
    assert_eq!(
        words("direction=descending&pageNumber=2&pageSize=2"),
        ["1sent"]
    );
    assert_eq!(words("pageNumber=3&pageSize=2"), Vec::<String>::new());
    for query in ["sortBy=id", "direction=down", "pageSize=0", "pageNumber=0"] {
        let path = format!("/v1/jobs/{id}/statusHistory");
        problem(
            &world.ask("GET", &format!("{path}?{query}"), &Value::Null),
            400,
            &path,
        );
    }
    let path = "/v1/jobs/4711/statusHistory";
    problem(&world.ask("GET", path, &Value::Null), 404, path);
}
