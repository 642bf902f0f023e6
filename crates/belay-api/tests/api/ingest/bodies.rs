//! Bodies and media types.

use serde_json::{Value, json};

use super::{CSV, JOBS, fault};
use crate::support::{Reply, World, request};

fn patch(world: &World, id: &str, media: Option<&str>, body: &[u8]) -> Reply {
    let bearer = format!("Bearer {}", world.admin);
    let mut headers = vec![("Authorization", bearer.as_str())];
    headers.extend(media.map(|media| ("Content-Type", media)));
    request(
        world.address(),
        "PATCH",
        &format!("{JOBS}/{id}"),
        &headers,
        body,
    )
}

#[test]
fn a_wish_must_be_one_of_two_words() {
    let world = World::new();
    let id = world.ingest();
    assert_eq!(world.upload(&id, CSV).status, 202);
    let before = world.contents();
    for body in [
        "{}",
        "{\"state\":null}",
        "{\"state\":\"\"}",
        "{\"state\":\"aborted\"}",
        "{\"state\":\"Open\"}",
        "{\"state\":\" Aborted\"}",
        "{\"state\":7}",
        "{\"state\":[\"Aborted\"]}",
        "{\"State\":\"Aborted\"}",
        "[]",
        "null",
        "\"Aborted\"",
        "",
        "{",
        "{\"state\":\"Aborted\"",
        "{\"state\":\"Aborted\"} {}",
        "{\"state\":\"Aborted\",\"state\":\"UploadComplete\"}",
        "state=Aborted",
    ] {
        let reply = patch(&world, &id, Some("application/json"), body.as_bytes());
        fault(&reply, 400, "BAD_REQUEST");
    }
    let reply = patch(
        &world,
        &id,
        Some("application/json"),
        b"{\"state\":\"\xff\"}",
    );
    fault(&reply, 400, "BAD_REQUEST");
    for media in [
        "text/plain",
        "text/csv",
        "application/x-www-form-urlencoded",
    ] {
        let reply = patch(&world, &id, Some(media), b"{\"state\":\"Aborted\"}");
        fault(&reply, 415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let large = format!(
        "{{\"state\":\"Aborted\",\"x\":\"{}\"}}",
        "x".repeat(1 << 20)
    );
    let reply = patch(&world, &id, None, large.as_bytes());
    fault(&reply, 413, "PAYLOAD_TOO_LARGE");
    assert_eq!(world.contents(), before, "nothing changed");
    assert_eq!(world.stored(), (1, 1, 0));

    let with_mark = b"\xef\xbb\xbf{\"state\":\"UploadComplete\",\"else\":{\"x\":1}}";
    let reply = patch(
        &world,
        &id,
        Some("Application/JSON; charset=utf-8"),
        with_mark,
    );
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = patch(&world, &id, None, b"{\"state\":\"Aborted\"}");
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[test]
fn a_new_job_needs_three_texts() {
    let world = World::new();
    let good = json!({"object": "o", "sourceName": "s", "operation": "upsert"});
    let before = world.contents();
    for (member, value) in [
        ("object", Value::Null),
        ("object", json!("")),
        ("object", json!("  ")),
        ("object", json!(7)),
        ("object", json!("x".repeat(256))),
        ("object", json!("a\u{0}b")),
        ("sourceName", Value::Null),
        ("sourceName", json!({})),
        ("operation", Value::Null),
        ("operation", json!("")),
        ("operation", json!("Upsert")),
        ("operation", json!("insert")),
    ] {
        let mut body = good.clone();
        body[member] = value;
        fault(&world.post(JOBS, &body), 400, "BAD_REQUEST");
        body.as_object_mut().unwrap().remove(member);
        fault(&world.post(JOBS, &body), 400, "BAD_REQUEST");
    }
    fault(&world.post(JOBS, &json!([])), 400, "BAD_REQUEST");
    assert_eq!(world.contents(), before);
    for operation in ["upsert", "delete"] {
        let body = json!({"object": "o", "sourceName": " ", "operation": operation, "more": [1]});
        let reply = world.post(JOBS, &body);
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert_eq!(reply.json()["operation"], operation);
        assert_eq!(reply.json()["sourceName"], " ");
    }
}

#[test]
fn a_file_must_be_csv_and_not_empty() {
    let world = World::new();
    let id = world.ingest();
    for media in ["application/json", "text/plain", "application/csv", ""] {
        let reply = world.upload_as(&id, media, CSV);
        fault(&reply, 415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let bearer = format!("Bearer {}", world.admin);
    let path = format!("{JOBS}/{id}/batches");
    let headers = [("Authorization", bearer.as_str())];
    let bare = request(world.address(), "PUT", &path, &headers, CSV);
    fault(&bare, 415, "UNSUPPORTED_MEDIA_TYPE");
    let zipped = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "text/csv"),
        ("Content-Encoding", "gzip"),
    ];
    let reply = request(world.address(), "PUT", &path, &zipped, CSV);
    fault(&reply, 415, "UNSUPPORTED_MEDIA_TYPE");
    fault(&world.upload(&id, b""), 400, "BAD_REQUEST");
    assert_eq!(world.stored(), (0, 0, 0));
    assert_eq!(
        world.upload_as(&id, "Text/CSV; charset=utf-8", CSV).status,
        202
    );
    assert_eq!(world.upload(&id, b"\0 is not read here").status, 202);
    assert_eq!(world.stored(), (2, 2, 0));
}
