//! Who may do what.

use std::time::Duration;

use belay_core::ops::{self, Actor, NewKey, Via};
use belay_testkit::eventually;
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{World, request};

/// Method and path of every documented operation of the native API and the probes, with something in place of its parameters.
fn operations(world: &World) -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(world.api.openapi()).unwrap();
    let mut all = Vec::new();
    let native = |path: &str| path.starts_with("/belay/") || OPEN.contains(&path);
    let paths = document["paths"].as_object().unwrap();
    for (path, item) in paths.iter().filter(|(path, _)| native(path)) {
        for method in item.as_object().unwrap().keys() {
            let path = path.replace("{id}", "1").replace("{name}", "nobody");
            all.push((method.to_uppercase(), path));
        }
    }
    assert!(all.len() > 20);
    all
}

const OPEN: [&str; 4] = ["/healthz", "/readyz", "/metrics", "/openapi.json"];

#[test]
fn every_documented_route_needs_a_key_or_is_listed_here() {
    let world = World::new();
    let before = world.contents();
    for (method, path) in operations(&world) {
        let reply = request(world.address(), &method, &path, &[], b"");
        if OPEN.contains(&path.as_str()) {
            assert_eq!(reply.status, 200, "{method} {path}");
            continue;
        }
        // The compatibility interfaces say it in words of their own.
        if path.starts_with("/belay/") {
            reply.problem(
                401,
                "unauthenticated",
                &json!({"detail": "an API key is needed: send it in the header `Authorization: Bearer belay_...`"}),
            );
        }
        assert_eq!(reply.status, 401, "{method} {path}");
        assert_eq!(
            reply.header("www-authenticate"),
            Some("Bearer"),
            "{method} {path}"
        );
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn every_documented_route_needs_its_scope() {
    let world = World::new();
    // Every scope but those that the native API asks for.
    let others = [
        "worker",
        "metrics",
        "prospecting:read",
        "prospecting:write",
        "jobs:read",
        "jobs:write",
        "ingest",
    ];
    let useless = world.key("useless", &others, None);
    let reader = world.key("reader", &["read"], None);
    let writer = world.key("writer", &["write"], None);
    let before = world.contents();
    for (method, path) in operations(&world) {
        // The compatibility interfaces have scopes of their own, and tests of them.
        if !path.starts_with("/belay/") {
            continue;
        }
        let may_nothing = |key: &str| {
            world
                .send_as(key, &method, &path, &Value::Null)
                .problem(403, "forbidden", &json!({}));
        };
        if path.starts_with("/belay/v1/worker/") {
            may_nothing(&reader);
            may_nothing(&writer);
            continue;
        }
        may_nothing(&useless);
        let admin = ["/keys", "/tenants", "/drain"]
            .iter()
            .any(|part| path.contains(part));
        let may = |key: &str| world.send_as(key, &method, &path, &Value::Null).status != 403;
        assert_eq!(may(&reader), method == "GET" && !admin, "{method} {path}");
        if method == "GET" || admin {
            assert!(!may(&writer), "{method} {path}");
        }
    }
    assert_eq!(world.contents(), before);
    let job = json!({"kind": "noop"});
    assert_eq!(
        world
            .send_as(&writer, "POST", "/belay/v1/jobs", &job)
            .status,
        201
    );
    assert_eq!(
        world
            .send_as(&world.admin, "POST", "/belay/v1/jobs", &job)
            .status,
        201
    );
}

#[test]
fn what_is_no_key_is_refused() {
    let world = World::new();
    let twisted = format!("{}0", &world.admin[..world.admin.len() - 1]);
    let (good, basic) = (
        format!("Bearer {}", world.admin),
        format!("Basic {}", world.admin),
    );
    let long = format!("Bearer belay_{}", "0".repeat(5000));
    let upper = good.to_uppercase();
    let twisted = if twisted == world.admin {
        format!("{twisted}0")
    } else {
        twisted
    };
    let twisted = format!("Bearer {twisted}");
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "belay_0",
        "Bearer secret",
        &long,
        &basic,
        &upper,
        &twisted,
        &world.admin,
    ] {
        let reply = request(
            world.address(),
            "GET",
            "/belay/v1/jobs",
            &[("Authorization", value)],
            b"",
        );
        reply.problem(401, "unauthenticated", &json!({}));
        assert_eq!(
            reply.header("www-authenticate"),
            Some("Bearer error=\"invalid_token\""),
            "{value}"
        );
    }
    let twice = [
        ("Authorization", good.as_str()),
        ("Authorization", good.as_str()),
    ];
    assert_eq!(
        request(world.address(), "GET", "/belay/v1/jobs", &twice, b"").status,
        401
    );
    // The scheme's case does not matter.
    let lower = format!("bearer {}", world.admin);
    let reply = request(
        world.address(),
        "GET",
        "/belay/v1/jobs",
        &[("Authorization", &lower)],
        b"",
    );
    assert_eq!(reply.status, 200);
}

#[test]
fn a_key_that_is_revoked_elsewhere_stops_to_work() {
    let world = World::new();
    let key = world.key("k", &["read"], None);
    let status = || {
        world
            .send_as(&key, "GET", "/belay/v1/jobs", &Value::Null)
            .status
    };
    assert_eq!(status(), 200);
    world.db.tx(|c| ops::revoke_key(c, "k")).unwrap();
    // How long is promised, a constant says; here, that it happens.
    eventually(Duration::from_secs(20), || (status() == 401).then_some(()));
}

#[test]
fn an_expired_key_stops_also_while_it_is_remembered() {
    let world = World::new();
    let make = |name: &str, end| {
        let key = NewKey {
            name: name.into(),
            scopes: vec!["read".into()],
            tenants: None,
            expires_at: Some(end),
        };
        world
            .db
            .tx(|c| ops::create_key(c, &key, &Actor::new("test", Via::Cli)))
            .unwrap()
            .1
    };
    let ask = |key: &str| world.send_as(key, "GET", "/belay/v1/jobs", &Value::Null);
    let old = make("old", Utc::now() - TimeDelta::seconds(1));
    let detail = json!({"detail": "this API key has expired; ask for a new one"});
    ask(&old).problem(401, "unauthenticated", &detail);

    let soon = make("soon", Utc::now() + TimeDelta::milliseconds(1500));
    assert_eq!(ask(&soon).status, 200);
    eventually(Duration::from_secs(20), || {
        (ask(&soon).status == 401).then_some(())
    });
    ask(&soon).problem(401, "unauthenticated", &detail);
}

#[test]
fn metrics_need_a_key_where_they_are_set_up_so() {
    let world = World::with(|builder| builder.metrics_key_required(true));
    let reader = world.key("reader", &["read"], None);
    let scraper = world.key("scraper", &["metrics"], Some(&[1]));
    let none = request(world.address(), "GET", "/metrics", &[], b"");
    none.problem(401, "unauthenticated", &json!({}));
    let status = |key: &str| world.send_as(key, "GET", "/metrics", &Value::Null).status;
    assert_eq!(
        (status(&reader), status(&scraper), status(&world.admin)),
        (403, 200, 200)
    );
}

#[test]
fn checks_come_in_their_order() {
    let world = World::new();
    let reader = world.key("reader", &["read"], Some(&[1]));
    let writer = world.key("writer", &["write"], Some(&[1]));
    let id = world.enqueue(&json!({"kind": "noop"}));
    let bad = json!({"unknown": 1});
    // Each request is wrong in every way that its predecessors were put right in, and in more.
    for (key, method, path, status) in [
        ("x", "PATCH", "/belay/v1/nothing".to_owned(), 404),
        (
            "x",
            "PATCH",
            "/belay/v1/jobs/0/cancel?tenant=other".to_owned(),
            405,
        ),
        (
            "x",
            "POST",
            "/belay/v1/jobs/0/cancel?tenant=other".to_owned(),
            401,
        ),
        (
            reader.as_str(),
            "POST",
            "/belay/v1/jobs/0/cancel?tenant=other".to_owned(),
            403,
        ),
        (
            writer.as_str(),
            "POST",
            "/belay/v1/jobs/0/cancel?tenant=other".to_owned(),
            400,
        ),
        (
            writer.as_str(),
            "POST",
            "/belay/v1/jobs/999/cancel?tenant=other".to_owned(),
            403,
        ),
        (
            writer.as_str(),
            "POST",
            "/belay/v1/jobs/999/cancel".to_owned(),
            404,
        ),
        (
            writer.as_str(),
            "POST",
            format!("/belay/v1/jobs/{id}/cancel"),
            422,
        ),
    ] {
        let reply = world.send_as(key, method, &path, &bad);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.text());
    }
}
