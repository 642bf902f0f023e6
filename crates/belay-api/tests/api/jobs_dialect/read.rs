//! Seeing jobs.

use belay_core::JobState;
use serde_json::{Value, json};

use super::problem;
use crate::support::{Wish, World, assert_matches};

#[test]
fn a_job_made_elsewhere_is_shown_with_what_is_known() {
    let world = World::new();
    for state in JobState::ALL {
        let id = world.make(state).id;
        let stored = world.seen(id);
        let when = |known: bool| if known { json!("[time]") } else { Value::Null };
        let reason = stored.cancel().map(|_| "made so");
        assert_matches(
            &world.shown(id),
            &json!({
                "id": id, "typeId": null, "contactId": null, "reference": null, "description": null, "status": "[text]",
                "createdAt": "[time]", "plannedStartAt": when(state == JobState::Scheduled), "startedAt": when(stored.started_at.is_some()),
                "endedAt": when(state.is_terminal()), "cancellationReason": reason
            }),
        );
    }
}

#[test]
fn pages_have_a_number_and_a_size() {
    let world = World::new();
    let mut ids: Vec<i64> = JobState::ALL.map(|state| world.make(state).id).to_vec();
    ids.reverse();
    let page = |query: &str| {
        let reply = world.ask("GET", &format!("/v1/jobs?{query}"), &Value::Null);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    };
    let numbers = |page: &Value| -> Vec<i64> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["id"].as_i64().unwrap())
            .collect()
    };
    let all = page("");
    assert_eq!(numbers(&all), ids);
    assert_eq!(all["items"][0], world.shown(ids[0]));
    let second = page("pageNumber=2&pageSize=4");
    assert_eq!(numbers(&second), ids[4..8]);
    let mut rest = second;
    rest["items"] = json!([]);
    assert_eq!(
        rest,
        json!({"items": [], "pageNumber": 2, "pageSize": 4, "pageItemCount": 4, "totalItemCount": 9})
    );
    assert_eq!(numbers(&page("pageNumber=3&pageSize=4")), ids[8..]);
    assert_eq!(
        page("pageNumber=2147483&pageSize=1000"),
        json!({"items": [], "pageNumber": 2_147_483, "pageSize": 1000, "pageItemCount": 0, "totalItemCount": 9})
    );
}

#[test]
fn a_thousand_jobs_fit_on_a_page() {
    use belay_core::ops::{self, Actor, NewJob, Via};
    let world = World::new();
    let many = vec![NewJob::new("noop"); 1001];
    let me = Actor::new("test", Via::Native);
    world
        .db
        .tx(|c| ops::enqueue_many(c, 1, &many, &me))
        .unwrap();
    let page = world
        .ask("GET", "/v1/jobs?pageSize=1000", &Value::Null)
        .json();
    assert_eq!(
        (&page["pageItemCount"], &page["totalItemCount"]),
        (&json!(1000), &json!(1001))
    );
    let page = world.ask("GET", "/v1/jobs", &Value::Null).json();
    assert_eq!(
        (&page["pageSize"], &page["pageItemCount"]),
        (&json!(100), &json!(100))
    );
}

#[test]
fn a_status_chooses() {
    let world = World::new();
    for state in JobState::ALL {
        world.make(state);
    }
    for (word, n) in [
        ("new", 1),
        ("scheduled", 1),
        ("sent", 1),
        ("started", 1),
        ("suspended", 1),
        ("cancelled", 2),
        ("completedOk", 1),
        ("completedWithIssues", 1),
        ("unscheduled", 0),
        ("read", 0),
        ("accepted", 0),
        ("refused", 0),
        ("onTheWay", 0),
    ] {
        let page = world
            .ask("GET", &format!("/v1/jobs?status={word}"), &Value::Null)
            .json();
        assert_eq!(
            (&page["pageItemCount"], &page["totalItemCount"]),
            (&json!(n), &json!(n)),
            "{word}"
        );
        let items = page["items"].as_array().unwrap();
        assert!(
            items.iter().all(|item| item["status"] == word),
            "{word}: {items:?}"
        );
    }
}

#[test]
fn parameters_out_of_range_are_refused() {
    let world = World::new();
    for query in [
        "pageNumber=0",
        "pageNumber=2147484",
        "pageNumber=-1",
        "pageNumber=x",
        "pageNumber=1.0",
        "pageSize=0",
        "pageSize=1001",
        "pageSize=99999999999999999999",
        "pageSize=1&pageSize=2",
        "status=queued",
        "status=Sent",
        "status=x",
    ] {
        let reply = world.ask("GET", &format!("/v1/jobs?{query}"), &Value::Null);
        problem(&reply, 400, "/v1/jobs");
    }
    assert_eq!(
        world.ask("GET", "/v1/jobs?whatever=1", &Value::Null).status,
        200
    );
}

#[test]
fn only_jobs_of_the_customer_are_there() {
    let world = World::new();
    let other = world.tenant("other");
    let theirs = Wish {
        tenant: other,
        ..Wish::default()
    };
    let (own, foreign) = (
        world.make(JobState::Queued).id,
        world.make_with(JobState::Queued, &theirs).id,
    );
    for (customer, id) in [("1", own), (&other.to_string(), foreign)] {
        let page = world
            .ask_of(&world.admin, customer, "GET", "/v1/jobs", &Value::Null)
            .json();
        assert_eq!(page["totalItemCount"], 1);
        assert_eq!(page["items"][0]["id"], id);
    }
}
