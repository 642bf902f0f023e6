//! Lists.

use belay_core::JobState;
use serde_json::Value;

use super::{JOBS, fault};
use crate::support::{Reply, World};

fn ids(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let list = reply.json()["data"].as_array().unwrap().clone();
    list.iter()
        .map(|job| job["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn pages_orders_and_states() {
    let world = World::new();
    let complete = world.ingest_in(JobState::Completed).0;
    let failed = world.ingest_in(JobState::Failed).0;
    let running = world.ingest_in(JobState::Running).0;
    let open = world.ingest();
    let aborted = world.ingest_in(JobState::Cancelled).0;
    let waiting = world.ingest_in(JobState::Queued).0;
    let list = |query: &str| ids(&world.get(&format!("{JOBS}{query}")));

    let created = [&waiting, &aborted, &open, &running, &failed, &complete];
    for query in [
        "",
        "?",
        "?orderBy=systemModstamp",
        "?orderby=&states=",
        "?orderBy=&orderby=&state=&states=&limit=&offset=",
        "?orderBy=createdDate",
        "?orderby=id",
        "?unknown=1",
        "?limit=100",
    ] {
        assert_eq!(list(query).iter().collect::<Vec<_>>(), created, "{query}");
    }
    assert_eq!(list("?limit=2"), [waiting.as_str(), &aborted]);
    assert_eq!(list("?limit=2&offset=3"), [running.as_str(), &failed]);
    assert_eq!(list("?offset=6"), [] as [&str; 0]);
    assert_eq!(
        list("?orderBy=state"),
        [
            open.as_str(),
            &waiting,
            &running,
            &aborted,
            &complete,
            &failed
        ]
    );
    for (word, id) in [
        ("Open", &open),
        ("UploadComplete", &waiting),
        ("InProgress", &running),
        ("Aborted", &aborted),
        ("JobComplete", &complete),
        ("Failed", &failed),
    ] {
        assert_eq!(list(&format!("?states={word}")), [id.as_str()], "{word}");
        assert_eq!(list(&format!("?state={word}")), [id.as_str()], "{word}");
    }
    assert_eq!(list("?states=Open,%20Failed,"), [open.as_str(), &failed]);

    // Whatever changes last comes first.
    world.wish(&open, "UploadComplete");
    assert_eq!(list("?limit=1"), [open.as_str()]);
    world.wish(&running, "Aborted");
    assert_eq!(list("?limit=2"), [running.as_str(), &open]);
    for (query, expected) in [
        ("orderBy=object", 6),
        ("orderBy=operation", 6),
        ("orderBy=sourceName", 6),
    ] {
        assert_eq!(list(&format!("?{query}")).len(), expected, "{query}");
    }
}

#[test]
fn twenty_are_on_a_page_when_nobody_says() {
    let world = World::new();
    let all: Vec<String> = (0..23).map(|_| world.ingest()).collect();
    assert_eq!(ids(&world.get(JOBS)).len(), 20);
    let rest = ids(&world.get(&format!("{JOBS}?offset=20")));
    assert_eq!(
        rest.iter().rev().collect::<Vec<_>>(),
        all[..3].iter().collect::<Vec<_>>()
    );
}

#[test]
fn what_cannot_be_understood_is_refused() {
    let world = World::new();
    for query in [
        "states=open",
        "states=Open,Nope",
        "state=Running",
        "orderBy=color",
        "orderby=SYSTEMMODSTAMP",
        "orderBy=id&orderby=state",
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "offset=-1",
        "offset=1.5",
        "offset=99999999999999999999",
        "limit=1&limit=1",
        "orderBy=id;drop",
    ] {
        let reply = world.send("GET", &format!("{JOBS}?{query}"), &Value::Null);
        fault(&reply, 400, "BAD_REQUEST");
    }
}
