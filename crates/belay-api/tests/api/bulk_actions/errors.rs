//! Errors: eight members, whatever is wrong.

use std::num::NonZeroU32;

use belay_core::JobState;
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use super::support::{JOBS, cancel_path, error, make, uid};
use crate::support::{World, exchange, request};

#[test]
fn without_a_key_that_works_nothing_is_told() {
    let world = World::new();
    let path = cancel_path(&uid(&world, make(&world, JobState::Queued)));
    let before = world.contents();
    for (method, path) in [
        ("POST", path.as_str()),
        ("POST", JOBS),
        ("GET", JOBS),
        ("GET", "/api/actions/bulk/jobs/x"),
    ] {
        let reply = request(world.address(), method, path, &[], b"[");
        error(&reply, path, 401, &json!({}));
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        for wrong in ["Bearer belay_nothing", "Basic YTpi", "Bearer"] {
            let reply = request(
                world.address(),
                method,
                path,
                &[("Authorization", wrong)],
                b"[",
            );
            error(&reply, path, 401, &json!({}));
            assert!(
                reply
                    .header("www-authenticate")
                    .unwrap()
                    .starts_with("Bearer")
            );
        }
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn each_verb_needs_its_scope() {
    let world = World::new();
    let id = uid(&world, make(&world, JobState::Queued));
    let read = world.key("read", &["bulk:read"], None);
    let write = world.key("write", &["bulk:write"], None);
    let other = world.key("other", &["write", "jobs:write", "vault:write"], None);
    let before = world.contents();
    let one = format!("{JOBS}/{id}");
    let cancel = cancel_path(&id);
    for (method, path, keys) in [
        ("POST", cancel.as_str(), [&read, &other]),
        ("POST", JOBS, [&read, &other]),
        ("GET", JOBS, [&write, &other]),
        ("GET", &one, [&write, &other]),
        // Before the syntax of the path.
        ("GET", "/api/actions/bulk/jobs/x", [&write, &other]),
    ] {
        for key in keys {
            let reply = world.send_as(key, method, path, &Value::Null);
            error(&reply, path, 403, &json!({}));
        }
    }
    assert_eq!(world.contents(), before);
    assert_eq!(world.send_as(&read, "GET", &one, &Value::Null).status, 200);
    assert_eq!(
        world.send_as(&write, "POST", &cancel, &Value::Null).status,
        200
    );
}

#[test]
fn every_other_path_below_is_unknown_here() {
    let world = World::new();
    let id = uid(&world, make(&world, JobState::Queued));
    for path in [
        "/api/actions/bulk".to_owned(),
        "/api/actions/bulk/".to_owned(),
        "/api/actions/bulk/job".to_owned(),
        format!("{JOBS}/{id}/stop"),
        format!("{JOBS}//{id}"),
        format!("{JOBS}/{id}//cancel"),
        format!("{JOBS}/{id}/cancel//"),
        "/api/actions/bulk/%3Cscript%3E".to_owned(),
    ] {
        error(&world.post(&path, &Value::Null), &path, 404, &json!({}));
    }
    // One slash at the end is tolerated.
    assert_eq!(world.get(&format!("{JOBS}/")).status, 200);
    assert_eq!(world.get(&format!("{JOBS}/{id}/?x=y")).status, 200);
    assert_eq!(
        world
            .post(&format!("{}/", cancel_path(&id)), &Value::Null)
            .status,
        200
    );
}

#[test]
fn wrong_methods_are_told_the_right_ones() {
    let world = World::new();
    let id = uid(&world, make(&world, JobState::Queued));
    for (path, method, allow) in [
        (cancel_path(&id), "GET", "POST"),
        (cancel_path(&id), "DELETE", "POST"),
        (format!("{JOBS}/{id}"), "PUT", "GET, HEAD"),
        (JOBS.to_owned(), "PATCH", "GET, HEAD, POST"),
    ] {
        // Before the key.
        let reply = request(world.address(), method, &path, &[], b"");
        error(&reply, &path, 405, &json!({}));
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
        let options = request(world.address(), "OPTIONS", &path, &[], b"");
        assert_eq!(
            (options.status, options.header("allow"), options.body.len()),
            (204, Some(allow), 0)
        );
    }
}

#[test]
fn types_and_sizes_are_kept_to() {
    let world = World::new();
    let id = uid(&world, make(&world, JobState::Queued));
    let cancel = cancel_path(&id);
    let before = world.contents();
    let bearer = format!("Bearer {}", world.admin);
    for path in [cancel.as_str(), JOBS] {
        let ask = |headers: &[(&str, &str)], body: &[u8]| {
            let mut all = vec![("Authorization", bearer.as_str())];
            all.extend_from_slice(headers);
            request(world.address(), "POST", path, &all, body)
        };
        for kind in ["text/plain", "application/xml", "application/jsonx"] {
            error(
                &ask(&[("Content-Type", kind)], b"{}"),
                path,
                415,
                &json!({}),
            );
        }
        let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(1 << 20));
        error(&ask(&[], large.as_bytes()), path, 413, &json!({}));
        // The type goes before the size.
        error(
            &ask(&[("Content-Type", "text/plain")], large.as_bytes()),
            path,
            415,
            &json!({}),
        );
        for accept in ["text/html", "application/json;q=0", "application/xml"] {
            error(&ask(&[("Accept", accept)], b"{}"), path, 406, &json!({}));
        }
        // What is received counts, also when nothing is announced.
        let mut chunked = format!(
            "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: {bearer}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        for _ in 0..17 {
            chunked.push_str(&format!("10000\r\n{}\r\n", " ".repeat(0x10000)));
        }
        chunked.push_str("0\r\n\r\n");
        error(
            &exchange(world.address(), chunked.as_bytes()),
            path,
            413,
            &json!({}),
        );
    }
    // That there is no such job goes before what is wrong with the body.
    let lost = cancel_path("0e8e1a3c-5b0c-4b55-9c39-6d1f1f4b7a52");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "text/plain"),
    ];
    let reply = request(world.address(), "POST", &lost, &headers, b"[");
    error(&reply, &lost, 404, &json!({}));
    for path in ["/api/actions/bulk/jobs", "/api/actions/bulk/jobs/"] {
        for (body, details) in [("", json!({})), ("[]", json!({})), ("{", json!({}))] {
            let headers = [("Authorization", bearer.as_str())];
            let reply = request(world.address(), "POST", path, &headers, body.as_bytes());
            error(&reply, path, 400, &details);
        }
    }
    assert_eq!(world.contents(), before);
    for accept in [
        "*/*",
        "application/*",
        "application/problem+json",
        "text/html, application/json;q=0.1",
    ] {
        let reply = world.send_with(
            &world.admin,
            "GET",
            JOBS,
            &[("Accept", accept)],
            &Value::Null,
        );
        assert_eq!(reply.status, 200, "{accept}");
    }
}

#[test]
fn too_many_requests_are_told_when_to_come_again() {
    let world = World::with(|builder| {
        builder.rate_limit(belay_api::RateLimit {
            per_second: NonZeroU32::MIN,
            burst: NonZeroU32::MIN,
        })
    });
    let key = world.key("quick", &["bulk:read"], None);
    let mut last = world.send_as(&key, "GET", JOBS, &Value::Null);
    for _ in 0..50 {
        if last.status == 429 {
            break;
        }
        last = world.send_as(&key, "GET", JOBS, &Value::Null);
    }
    error(&last, JOBS, 429, &json!({}));
    let seconds: u64 = last.header("retry-after").unwrap().parse().unwrap();
    assert!(seconds >= 1);
}

#[test]
fn a_job_that_somebody_else_holds_too_long_is_busy_and_unchanged() {
    let world = World::new();
    let id = make(&world, JobState::Queued);
    let path = cancel_path(&uid(&world, id));
    let before = world.contents();
    let mut conn = world.test_db.conn();
    conn.batch_execute(&format!(
        "begin; select from belay.job where id = {id} for update"
    ))
    .unwrap();
    let reply = world.post(&path, &Value::Null);
    error(&reply, &path, 503, &json!({}));
    assert_eq!(reply.header("retry-after"), Some("1"));
    conn.batch_execute("rollback").unwrap();
    assert_eq!(world.contents(), before);
    // Whoever sends it again is answered as the first.
    assert_eq!(world.post(&path, &Value::Null).status, 200);
}

#[test]
fn a_defect_tells_nothing_of_the_inside() {
    let world = World::new();
    let path = format!("{JOBS}/{}", uid(&world, make(&world, JobState::Queued)));
    world
        .test_db
        .conn()
        .batch_execute("alter table belay.bulk_action rename to elsewhere")
        .unwrap();
    let body = error(&world.get(&path), &path, 500, &json!({}));
    assert!(!body.to_string().contains("bulk_action"), "{body}");
}

#[test]
fn the_request_id_is_the_callers_when_it_is_plain() {
    let world = World::new();
    let reply = world.send_with(
        &world.admin,
        "GET",
        "/api/actions/bulk/nothing",
        &[("X-Request-Id", "my.own-id_7")],
        &Value::Null,
    );
    let body = error(&reply, "/api/actions/bulk/nothing", 404, &json!({}));
    assert_eq!(body["requestId"], "my.own-id_7");
}

#[test]
fn it_can_be_switched_off() {
    let world = World::with(|builder| builder.without_dialect(belay_api::Dialect::BulkActions));
    let reply = world.get(JOBS);
    // Whatever is left below `/api` is the business of another interface, in words of its own.
    assert_eq!(reply.status, 404);
    assert!(reply.json()["error"].is_null());
}
