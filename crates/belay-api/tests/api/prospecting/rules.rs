//! What holds for every route: methods, slashes, types, limits, trouble with the database.

use std::num::NonZeroU32;
use std::time::Duration;

use belay_api::{AdminApi, Dialect, RateLimit};
use belay_core::db::DbConfig;
use belay_core::ops::{self, Actor, NewKey, Via};
use belay_core::{Db, JobState};
use belay_testkit::{TestCluster, eventually};
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use super::{NOBODY, cancel, failure, job, jobs};
use crate::support::{Server, World, exchange, request};

#[test]
fn wrong_methods_and_unknown_routes_are_told_in_the_envelope() {
    let world = World::new();
    let one = format!("{}/{NOBODY}", jobs(&world));
    for (path, allow) in [
        ("/v1/accounts".to_owned(), "GET, HEAD"),
        (jobs(&world), "GET, HEAD, POST"),
        (one.clone(), "GET, HEAD"),
        (format!("{one}/cancel"), "POST"),
        (format!("{one}/cancel/"), "POST"),
    ] {
        let reply = request(world.address(), "DELETE", &path, &[], b"");
        failure(&reply, 405, "METHOD_NOT_ALLOWED");
        assert_eq!(reply.header("allow"), Some(allow), "{path}");
        let reply = request(world.address(), "OPTIONS", &path, &[], b"");
        assert_eq!(
            (reply.status, reply.header("allow"), reply.body.len()),
            (204, Some(allow), 0)
        );
    }
    for path in [
        "/v1/accounts/x".to_owned(),
        "/v1/accounts//".to_owned(),
        format!("{}//", jobs(&world)),
        format!("{one}//cancel"),
        format!("{one}/cancel/more"),
        format!("{one}/stages"),
    ] {
        failure(&world.post(&path, &Value::Null), 404, "NOT_FOUND");
    }
}

#[test]
fn one_slash_is_tolerated_and_head_answers_without_a_body() {
    let world = World::new();
    let id = world.make(JobState::Queued).id;
    for path in ["/v1/accounts".to_owned(), jobs(&world), job(&world, id)] {
        assert_eq!(world.get(&format!("{path}/")).status, 200, "{path}");
        let head = world.send("HEAD", &path, &Value::Null);
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    assert_eq!(
        world
            .post(&format!("{}/", cancel(&world, id)), &Value::Null)
            .status,
        200
    );
}

#[test]
fn only_json_is_spoken() {
    let world = World::new();
    let path = cancel(&world, world.make(JobState::Queued).id);
    let ask = |accept: &str| {
        let headers = [("Accept", accept)];
        world.send_with(&world.admin, "POST", &path, &headers, &Value::Null)
    };
    for accept in [
        "application/xml",
        "text/html",
        "application/problem+json",
        "application/json;q=0",
        "*/*;q=0",
    ] {
        failure(&ask(accept), 406, "NOT_ACCEPTABLE");
    }
    assert_eq!(ask("text/html, application/*;q=0.1").status, 200);
}

#[test]
fn chunked_bodies_are_limited_too() {
    let world = World::new();
    let path = cancel(&world, world.make(JobState::Queued).id);
    let mut bytes = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        world.admin
    )
    .into_bytes();
    for _ in 0..17 {
        bytes.extend_from_slice(b"10000\r\n");
        bytes.extend_from_slice(&[b' '; 0x10000]);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    failure(&exchange(world.address(), &bytes), 413, "PAYLOAD_TOO_LARGE");
}

#[test]
fn a_key_that_asks_too_often_is_told_when_to_come_back() {
    let one = NonZeroU32::MIN;
    let world = World::with(|builder| {
        builder.rate_limit(RateLimit {
            per_second: one,
            burst: one,
        })
    });
    let limited = eventually(Duration::from_secs(30), || {
        let reply = world.get("/v1/accounts");
        (reply.status == 429).then_some(reply)
    });
    failure(&limited, 429, "RATE_LIMITED");
    let seconds: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!(seconds >= 1);
}

#[test]
fn it_can_be_switched_off() {
    let world = World::with(|builder| builder.without_dialect(Dialect::Prospecting));
    let reply = world.get("/v1/accounts");
    assert_eq!((reply.status, reply.body.len()), (404, 0));
    assert_eq!(world.get("/belay/v1/jobs").status, 200);
}

#[test]
fn below_a_prefix_it_is_the_same() {
    let world = World::with(|builder| builder.prefix("/admin"));
    assert_eq!(world.get("/admin/v1/accounts").status, 200);
    failure(&world.get("/admin/v1/accounts/x"), 404, "NOT_FOUND");
}

#[test]
fn a_store_that_is_away_is_an_upstream_error() {
    let cluster = TestCluster::start();
    let mut config = DbConfig::new(cluster.migrated("belay"));
    config.pool_wait = Duration::from_millis(500);
    let db = Db::new(config).unwrap();
    let key = NewKey {
        name: "root".into(),
        scopes: vec!["admin".into()],
        tenants: None,
        expires_at: None,
    };
    let key = db
        .tx(|c| ops::create_key(c, &key, &Actor::new("test", Via::Cli)))
        .unwrap()
        .1;
    let api = AdminApi::builder(db).build().unwrap();
    let server = Server::start(move |config| api.configure(config));
    let bearer = format!("Bearer {key}");
    let ask = |path: &str| {
        let headers = [("Authorization", bearer.as_str())];
        request(server.address, "GET", path, &headers, b"")
    };
    assert_eq!(ask("/v1/accounts").status, 200);
    cluster.kill9().unwrap();
    // Its processes notice one after the other.
    let reply = eventually(Duration::from_secs(30), || {
        let reply = ask("/v1/accounts");
        (reply.status != 200).then_some(reply)
    });
    failure(&reply, 502, "UPSTREAM_ERROR");
}

#[test]
fn a_job_that_somebody_else_holds_too_long_is_busy_and_a_defect_says_nothing_of_itself() {
    let world = World::new();
    let id = world.make(JobState::Queued).id;
    let mut conn = world.test_db.conn();
    conn.batch_execute(&format!(
        "begin; select from belay.job where id = {id} for update"
    ))
    .unwrap();
    let reply = world.post(&cancel(&world, id), &Value::Null);
    failure(&reply, 503, "SERVICE_UNAVAILABLE");
    assert_eq!(reply.header("retry-after"), Some("1"));
    conn.batch_execute("rollback; alter table belay.job_progress rename to gone")
        .unwrap();
    let running = world.make(JobState::Running).id;
    let error = failure(&world.get(&job(&world, running)), 500, "INTERNAL_ERROR");
    assert!(!error.to_string().contains("job_progress"), "{error}");
}

#[test]
fn the_document_says_what_is_answered() {
    let world = World::new();
    let document: Value = serde_json::from_str(world.api.openapi()).unwrap();
    let cancel =
        &document["paths"]["/v1/accounts/{accountGroupId}/prospecting/{jobId}/cancel"]["post"];
    let answers = cancel["responses"].as_object().unwrap();
    for status in [
        "200", "400", "401", "403", "404", "406", "413", "415", "422", "429", "500", "502", "503",
    ] {
        let schema = &answers[status]["content"]["application/json"]["schema"];
        let names: Vec<&str> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(names.len(), 4, "{status}: {names:?}");
    }
    let data =
        &answers["200"]["content"]["application/json"]["schema"]["properties"]["data"]["$ref"];
    assert_eq!(*data, json!("#/components/schemas/ProspectingCancelled"));
    let named: Vec<&Value> = cancel["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["name"])
        .collect();
    assert_eq!(named, ["accountGroupId", "jobId"]);
    assert_ne!(cancel["requestBody"]["required"], true);
}
