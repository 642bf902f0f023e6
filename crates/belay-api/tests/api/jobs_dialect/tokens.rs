//! Access tokens.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use belay_core::JobState;
use serde_json::{Value, json};

use super::{cancel, job, nothing, problem};
use crate::support::{Reply, World, request};

const PATH: &str = "/auth/tokens";

fn ask(world: &World, headers: &[(&str, &str)], form: &str) -> Reply {
    let mut all = vec![("Content-Type", "application/x-www-form-urlencoded")];
    all.extend_from_slice(headers);
    request(world.address(), "POST", PATH, &all, form.as_bytes())
}

#[track_caller]
fn granted(reply: &Reply, scope: &str) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let body = reply.json();
    let token = body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(
        body,
        json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": scope})
    );
    token
}

#[track_caller]
fn refused(reply: &Reply, status: u16, error: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.text(), format!(r#"{{"error":"{error}"}}"#));
    assert_eq!(reply.header("www-authenticate").is_some(), status == 401);
}

fn basic(name: &str, key: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{key}")))
}

#[test]
fn a_token_is_given_for_a_name_and_a_key() {
    let world = World::new();
    let key = world.key("ci@home", &["jobs:read", "jobs:write", "read"], Some(&[1]));
    let grant = "grant_type=client_credentials";
    let form = format!("{grant}&client_id=ci%40home&client_secret={key}");
    let by_form = granted(&ask(&world, &[], &form), "jobs:read jobs:write");
    let header = basic("ci@home", &key);
    let by_header = granted(
        &ask(&world, &[("Authorization", &header)], grant),
        "jobs:read jobs:write",
    );
    let encoded = basic("ci%40home", &key);
    let again = format!("{grant}&client_id=ci%40home");
    let by_encoded = granted(
        &ask(&world, &[("Authorization", &encoded)], &again),
        "jobs:read jobs:write",
    );
    for token in [by_form, by_header, by_encoded] {
        assert_ne!(token, key);
        let id = world.make(JobState::Queued).id;
        let reply = world.ask_of(&token, "1", "POST", &cancel(id), &Value::Null);
        nothing(&reply);
        // The key's name is on record, not the token.
        assert_eq!(world.seen(id).cancel().unwrap().actor, "ci@home");
    }
    // The key itself works as well.
    assert_eq!(
        world
            .ask_of(&key, "1", "GET", "/v1/jobs", &Value::Null)
            .status,
        200
    );
}

#[test]
fn a_token_allows_what_was_asked_for_and_only_here() {
    let world = World::new();
    let id = world.make(JobState::Queued).id;
    let key = world.key("ci", &["jobs:read", "jobs:write", "read"], Some(&[1]));
    let form = |scope: &str| {
        format!("grant_type=client_credentials&client_id=ci&client_secret={key}&scope={scope}")
    };
    let reader = granted(&ask(&world, &[], &form("jobs:read+jobs:read")), "jobs:read");
    assert_eq!(
        world
            .ask_of(&reader, "1", "GET", &job(id), &Value::Null)
            .status,
        200
    );
    let reply = world.ask_of(&reader, "1", "POST", &cancel(id), &Value::Null);
    problem(&reply, 403, &cancel(id));
    let both = granted(
        &ask(&world, &[], &form("jobs:write%20jobs:read")),
        "jobs:write jobs:read",
    );
    // Not even what its key may do elsewhere.
    assert_eq!(
        world
            .send_as(&both, "GET", "/belay/v1/jobs", &Value::Null)
            .status,
        401
    );
    for scope in [
        "admin",
        "jobs:read+vault:read",
        "jobs:write%20read",
        "jobs",
        "JOBS:READ",
        "jobs:read%2Cjobs:write",
    ] {
        refused(&ask(&world, &[], &form(scope)), 400, "invalid_scope");
    }
    let useless = world.key("other", &["read"], None);
    let form = format!("grant_type=client_credentials&client_id=other&client_secret={useless}");
    refused(&ask(&world, &[], &form), 400, "invalid_scope");
}

#[test]
fn what_is_wrong_is_said_in_the_words_of_the_standard() {
    let world = World::new();
    let key = world.key("ci", &["jobs:read"], None);
    let pair = format!("client_id=ci&client_secret={key}");
    let grant = "grant_type=client_credentials";
    for form in [
        String::new(),
        pair.clone(),
        format!("grant_type=&{pair}"),
        format!("{grant}&{grant}&{pair}"),
        format!("{grant}&{pair}&scope=%00"),
    ] {
        refused(&ask(&world, &[], &form), 400, "invalid_request");
    }
    for kind in ["password", "refresh_token", "CLIENT_CREDENTIALS"] {
        let form = format!("grant_type={kind}&{pair}");
        refused(&ask(&world, &[], &form), 400, "unsupported_grant_type");
    }
    let header = basic("ci", &key);
    let both = format!("{grant}&{pair}");
    refused(
        &ask(&world, &[("Authorization", &header)], &both),
        400,
        "invalid_request",
    );
    let other = format!("{grant}&client_id=root");
    refused(
        &ask(&world, &[("Authorization", &header)], &other),
        400,
        "invalid_request",
    );
    for form in [
        grant.to_owned(),
        format!("{grant}&client_id=ci"),
        format!("{grant}&client_secret={key}"),
        format!("{grant}&client_id=ci&client_secret=wrong"),
        format!("{grant}&client_id=CI&client_secret={key}"),
        // A key that is right, under the name of another.
        format!("{grant}&client_id=root&client_secret={key}"),
    ] {
        refused(&ask(&world, &[], &form), 401, "invalid_client");
    }
    for header in ["Basic", "Basic !", "Basic Y2k=", "Bearer x"] {
        refused(
            &ask(&world, &[("Authorization", header)], grant),
            401,
            "invalid_client",
        );
    }
    world
        .db
        .tx(|c| belay_core::ops::revoke_key(c, "ci"))
        .unwrap();
    refused(&ask(&world, &[], &both), 401, "invalid_client");
}

#[test]
fn the_route_has_the_rules_of_the_others() {
    let world = World::new();
    let json = request(
        world.address(),
        "POST",
        PATH,
        &[("Content-Type", "application/json")],
        b"{}",
    );
    problem(&json, 415, PATH);
    let get = request(world.address(), "GET", PATH, &[], b"");
    problem(&get, 405, PATH);
    assert_eq!(get.header("allow"), Some("POST"));
    let more = "/auth/tokens/more";
    problem(&request(world.address(), "POST", more, &[], b""), 404, more);
}

#[test]
fn a_token_ends_with_its_key() {
    use belay_core::ops::{self, Actor, NewKey, Via};
    let world = World::new();
    let key = NewKey {
        name: "soon".into(),
        scopes: vec!["jobs:read".into()],
        tenants: None,
        expires_at: Some(chrono::Utc::now() + chrono::TimeDelta::seconds(600)),
    };
    let secret = world
        .db
        .tx(|c| ops::create_key(c, &key, &Actor::new("test", Via::Cli)))
        .unwrap()
        .1;
    let form = format!("grant_type=client_credentials&client_id=soon&client_secret={secret}");
    let body = ask(&world, &[], &form).json();
    let seconds = body["expires_in"].as_u64().unwrap();
    assert!((1..=600).contains(&seconds), "{body}");
}
