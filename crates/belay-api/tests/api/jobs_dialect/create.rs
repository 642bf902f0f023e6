//! Create.

use belay_core::JobState;
use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{job, problem, unprocessable};
use crate::support::{World, assert_matches};

const PATH: &str = "/v1/jobs";

fn create(world: &World, body: &Value) -> i64 {
    let reply = world.ask("POST", PATH, body);
    assert_eq!(reply.status, 201, "{}", reply.text());
    let id = reply.json()["id"].as_i64().unwrap();
    assert_eq!(reply.text(), format!("{{\"id\":{id}}}"));
    assert_eq!(reply.header("location"), Some(job(id).as_str()));
    id
}

#[test]
fn a_job_is_kept_with_everything_that_was_said_of_it() {
    let world = World::new();
    let id = create(
        &world,
        &json!({
            "typeId": 3, "contactId": i64::MAX, "plannedDuration": 90, "reference": "R-1", "description": "é", "orderNumber": "O 7",
            "personId": "3B241101-e2bb-4255-8caf-4136c566a962", "customFields": [{"definitionId": 7, "value": [1.10]}], "mine": {"n": 1},
            "kind": "sleep", "payload": {"seconds": 30}
        }),
    );
    let stored = world.seen(id);
    assert_eq!(
        (stored.kind.as_str(), stored.state),
        ("sleep", JobState::Queued)
    );
    assert_eq!(
        (stored.created_via.as_str(), stored.payload.as_str()),
        ("jobs", r#"{"seconds": 30}"#)
    );
    assert_matches(
        &world.shown(id),
        &json!({
            "id": id, "typeId": 3, "contactId": i64::MAX, "reference": "R-1", "description": "é", "status": "sent", "createdAt": "[time]",
            "plannedStartAt": null, "startedAt": null, "endedAt": null, "cancellationReason": null
        }),
    );
    let kept = world
        .db
        .read(|c| belay_core::query::attributes(c, &[id]))
        .unwrap();
    assert_eq!(
        kept[&id],
        json!({
            "typeId": 3, "contactId": i64::MAX, "plannedDuration": 90, "reference": "R-1", "description": "é", "orderNumber": "O 7",
            "personId": "3B241101-e2bb-4255-8caf-4136c566a962", "customFields": [{"definitionId": 7, "value": [1.10]}], "mine": {"n": 1}
        })
    );
}

#[test]
fn two_members_are_enough() {
    let world = World::new();
    let id = create(
        &world,
        &json!({"typeId": 1, "contactId": 1, "payload": null, "kind": null, "reference": null}),
    );
    let stored = world.seen(id);
    assert_eq!(
        (stored.kind.as_str(), stored.payload.as_str()),
        ("noop", "{}")
    );
}

#[test]
fn a_time_to_come_makes_it_scheduled() {
    let world = World::new();
    let soon = (Utc::now() + TimeDelta::hours(1)).to_rfc3339_opts(SecondsFormat::Millis, true);
    for (at, status) in [
        (soon.as_str(), "scheduled"),
        ("2001-02-03T04:05:06.789Z", "sent"),
    ] {
        let id = create(
            &world,
            &json!({"typeId": 1, "contactId": 1, "plannedStartAt": at}),
        );
        let shown = world.shown(id);
        assert_eq!(
            (&shown["status"], &shown["plannedStartAt"]),
            (&json!(status), &json!(at))
        );
    }
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let world = World::new();
    let before = world.contents();
    let reply = world.ask(
        "POST",
        PATH,
        &json!({
            "typeId": 0, "plannedDuration": -1, "reference": 7, "description": [], "orderNumber": {}, "personId": "x",
            "customFields": [{"value": 1}], "plannedStartAt": "tomorrow", "kind": 7, "payload": [1]
        }),
    );
    let body = unprocessable(
        &reply,
        PATH,
        &[
            "contactId",
            "customFields",
            "description",
            "kind",
            "orderNumber",
            "payload",
            "personId",
            "plannedDuration",
            "plannedStartAt",
            "reference",
            "typeId",
        ],
    );
    assert_eq!(
        body["errors"]["typeId"],
        json!(["typeId is 0, it must be an integer from 1 to 9223372036854775807"])
    );
    for (name, values) in [
        (
            "typeId",
            vec![
                json!(1.5),
                json!("1"),
                json!(-1),
                json!(9_223_372_036_854_775_808_u64),
                Value::Null,
            ],
        ),
        ("contactId", vec![json!(0), json!(true)]),
        ("kind", vec![json!("nothing"), json!("")]),
        ("payload", vec![json!("x"), json!(7), json!(false)]),
        (
            "personId",
            vec![json!("3b241101e2bb42558caf4136c566a962"), json!(7)],
        ),
        (
            "customFields",
            vec![json!({}), json!([7]), json!([{"definitionId": null}])],
        ),
        (
            "plannedStartAt",
            vec![json!("0000-01-01T00:00:00Z"), json!(7), json!("2026-12-24")],
        ),
        ("plannedDuration", vec![json!(1.5), json!("90")]),
    ] {
        for value in values {
            let mut body = json!({"typeId": 1, "contactId": 1});
            body[name] = value;
            unprocessable(&world.ask("POST", PATH, &body), PATH, &[name]);
        }
    }
    for body in [json!([]), json!("x"), Value::Null] {
        problem(&world.ask("POST", PATH, &body), 400, PATH);
    }
    assert_eq!(world.contents(), before);
}
