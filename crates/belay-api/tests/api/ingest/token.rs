//! Tokens.

use serde_json::{Value, json};

use super::{JOBS, TYPE, fault};
use crate::support::{Reply, World, assert_matches, request};

const PATH: &str = "/services/a360/token";
const GRANT: &str = "urn%3Asalesforce%3Agrant-type%3Aexternal%3Acdp";
const KIND: &str = "urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token";

fn ask(world: &World, body: &str) -> Reply {
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    request(world.address(), "POST", PATH, &headers, body.as_bytes())
}

fn form(key: &str) -> String {
    format!("grant_type={GRANT}&subject_token={key}&subject_token_type={KIND}")
}

#[test]
fn an_api_key_is_exchanged_for_a_token() {
    let world = World::new();
    let reply = ask(&world, &form(&world.admin));
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some(TYPE)),
        "{}",
        reply.text()
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let body = reply.json();
    assert_matches(
        &body,
        &json!({
            "access_token": "[text]", "instance_url": "test", "token_type": "Bearer",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "expires_in": 7200,
        }),
    );
    let token = body["access_token"].as_str().unwrap();
    let made = world.send_as(
        token,
        "POST",
        JOBS,
        &json!({"object": "o", "sourceName": "", "operation": "upsert"}),
    );
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(
        made.json()["createdById"],
        "root",
        "the key, whoever logged in with it"
    );
    // It is good for this interface only.
    assert_eq!(
        world
            .send_as(token, "GET", "/belay/v1/jobs", &Value::Null)
            .status,
        401
    );
}

#[test]
fn everything_else_is_an_invalid_grant() {
    let world = World::new();
    let reader = world.key("reader", &["read"], None);
    let good = form(&world.admin);
    let session = ask(&world, &good).json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    for body in [
        String::new(),
        form(""),
        form("belay_nobody"),
        form("x"),
        form(&reader),
        form(&session),
        good.replace(GRANT, "password"),
        good.replace(KIND, "x"),
        format!("grant_type={GRANT}&subject_token={}", world.admin),
        format!("{good}&grant_type={GRANT}"),
        "%00=%ff".into(),
    ] {
        let reply = ask(&world, &body);
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (400, Some(TYPE)),
            "{body}"
        );
        assert_matches(
            &reply.json(),
            &json!({"error": "invalid_grant", "error_description": "[text]"}),
        );
    }
    let headers = [("Content-Type", "application/json")];
    let reply = request(world.address(), "POST", PATH, &headers, b"{}");
    fault(&reply, 415, "UNSUPPORTED_MEDIA_TYPE");
    let reply = request(world.address(), "GET", PATH, &[], b"");
    fault(&reply, 405, "METHOD_NOT_ALLOWED");
    assert_eq!(reply.header("allow"), Some("POST"));
}

#[test]
fn whatever_lies_beside_the_token_is_unknown_in_the_words_of_the_dialect() {
    let world = World::new();
    for path in [
        "/services/a360/token/x",
        "/services/a360",
        "/services/a360/x",
    ] {
        super::fault(&world.get(path), 404, "NOT_FOUND");
    }
}
