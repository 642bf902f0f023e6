//! A whole cycle, byte for byte.

use serde_json::json;

use super::{CSV, JOBS, TYPE};
use crate::support::{Reply, World};

/// A body with the id and the times taken out.
fn plain(reply: &Reply) -> String {
    let text = reply.text();
    let value = reply.json();
    let id = value["id"].as_str().unwrap();
    let mut text = text.replace(id, "ID");
    for (member, word) in [("createdDate", "CREATED"), ("systemModstamp", "MODIFIED")] {
        let time = value[member].as_str().unwrap();
        assert_eq!((time.len(), &time[23..]), (24, "Z"), "{time}");
        text = text.replace(
            &format!("\"{member}\":\"{time}\""),
            &format!("\"{member}\":\"{word}\""),
        );
    }
    text
}

fn expected(state: &str) -> String {
    format!(
        "{{\"id\":\"ID\",\"operation\":\"upsert\",\"object\":\"runner_profiles\",\"createdById\":\"root\",\"createdDate\":\"CREATED\",\
         \"systemModstamp\":\"MODIFIED\",\"state\":\"{state}\",\"contentType\":\"CSV\",\"apiVersion\":\"v1\",\"sourceName\":\"Event API\",\
         \"contentUrl\":\"api/v1/ingest/jobs/ID/batches\",\"retries\":0,\"totalProcessingTime\":0}}"
    )
}

#[test]
fn the_published_example_to_the_letter() {
    let world = World::new();
    let made = world.post(
        JOBS,
        &json!({"object": "runner_profiles", "sourceName": "Event API", "operation": "upsert"}),
    );
    assert_eq!(
        (made.status, made.header("content-type")),
        (201, Some(TYPE))
    );
    assert_eq!(plain(&made), expected("Open"));
    let id = made.json()["id"].as_str().unwrap().to_owned();

    let kept = world.upload(&id, CSV);
    assert_eq!((kept.status, kept.body.len()), (202, 0));

    let closed = world.wish(&id, "UploadComplete");
    assert_eq!(
        (closed.status, closed.header("content-type")),
        (200, Some(TYPE))
    );
    assert_eq!(plain(&closed), expected("UploadComplete"));
    assert!(
        closed.json()["systemModstamp"].as_str() > made.json()["systemModstamp"].as_str(),
        "a change of state is a modification"
    );
    assert_eq!(closed.json()["createdDate"], made.json()["createdDate"]);

    let path = format!("{JOBS}/{id}");
    let upper = world.get(&format!("{JOBS}/{}", id.to_uppercase()));
    assert_eq!((upper.status, upper.text()), (200, closed.text()));
    let head = world.send("HEAD", &path, &serde_json::Value::Null);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(world.get(&format!("{path}/")).text(), closed.text());

    let aborted = world.wish(&id, "Aborted");
    assert_eq!(plain(&aborted), expected("Aborted"));
    assert_eq!(world.stored(), (0, 0, 0));
    assert_eq!(
        world.number("select count(*) as n from belay.job_done where state = 'cancelled' and cancel_via = 'ingest' and cancel_actor = 'root'"),
        1
    );

    let gone = world.send("DELETE", &path, &serde_json::Value::Null);
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    for method in ["GET", "DELETE"] {
        let again = world.send(method, &path, &serde_json::Value::Null);
        super::fault(&again, 404, "NOT_FOUND");
    }
    super::fault(&world.wish(&id, "Aborted"), 404, "NOT_FOUND");
    super::fault(&world.upload(&id, CSV), 404, "NOT_FOUND");
    assert_eq!(world.get(JOBS).text(), "{\"data\":[]}");
}

#[test]
fn what_was_made_is_on_record() {
    let world = World::new();
    let id = world.ingest();
    let native = world.get(&format!("/belay/v1/jobs/{id}")).json();
    assert_eq!(native["kind"], "ingest");
    assert_eq!(native["state"], "open");
    assert_eq!(
        native["payload"],
        json!({"object": "contacts", "operation": "upsert", "sourceName": "crm"})
    );
}

#[test]
fn a_job_of_another_kind_can_be_looked_at_and_aborted_and_is_not_listed() {
    let world = World::new();
    let number = world.enqueue(&json!({"kind": "sleep", "payload": {"object": "x"}}));
    let uid = world.get(&format!("/belay/v1/jobs/{number}")).json()["uid"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = world.get(&format!("{JOBS}/{uid}")).json();
    assert_eq!(
        (&shown["object"], &shown["operation"], &shown["sourceName"]),
        (&json!("sleep"), &json!("upsert"), &json!(""))
    );
    assert_eq!(shown["state"], "UploadComplete");
    assert_eq!(world.get(JOBS).text(), "{\"data\":[]}");
    assert_eq!(world.wish(&uid, "Aborted").json()["state"], "Aborted");
}
