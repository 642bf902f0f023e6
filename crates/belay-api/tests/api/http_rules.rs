//! What holds for every route: methods, slashes, types, request ids.

use serde_json::{Value, json};

use crate::support::{World, request};

#[test]
fn a_wrong_method_is_answered_with_the_right_ones() {
    let world = World::new();
    for (path, allow) in [
        ("/belay/v1/jobs", "GET, HEAD, POST"),
        ("/belay/v1/jobs/", "GET, HEAD, POST"),
        ("/belay/v1/jobs/batch", "POST"),
        ("/belay/v1/jobs/1", "GET, HEAD"),
        ("/belay/v1/jobs/1/cancel", "POST"),
        ("/belay/v1/jobs/1/data", "DELETE"),
        ("/belay/v1/keys/x", "DELETE"),
        ("/healthz", "GET, HEAD"),
        ("/metrics", "GET, HEAD"),
    ] {
        for method in ["PATCH", "TRACE", "BREW"] {
            let reply = request(world.address(), method, path, &[], b"");
            let detail = format!("{method} is not possible here; possible are {allow}");
            reply.problem(405, "method-not-allowed", &json!({"detail": detail}));
            assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
        }
        let reply = request(world.address(), "OPTIONS", path, &[], b"");
        assert_eq!(
            (reply.status, reply.header("allow"), reply.body.len()),
            (204, Some(allow), 0),
            "{path}"
        );
        assert!(reply.header("x-request-id").is_some());
    }
}

#[test]
fn unknown_routes_are_problems() {
    let world = World::new();
    for path in [
        "/belay/v1",
        "/belay/v1/",
        "/belay/v1/nothing",
        "/belay/v1/jobs//",
        "/belay/v1//jobs",
        "/belay/v1/jobs/1/nothing",
        "/belay/v1/jobs/1//cancel",
        "/belay/v1/JOBS",
        "/belay/v1/../v1/jobs/x/y/z",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let reply = world.send(method, path, &Value::Null);
            assert_eq!(reply.status, 404, "{method} {path}");
            reply.problem(
                404,
                "not-found",
                &json!({"detail": "there is nothing at this path"}),
            );
        }
    }
}

#[test]
fn one_slash_at_the_end_is_tolerated() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop"}));
    for path in [
        "/belay/v1/jobs/".to_owned(),
        format!("/belay/v1/jobs/{id}/"),
        "/healthz/".to_owned(),
        "/openapi.json/".to_owned(),
    ] {
        assert_eq!(world.get(&path).status, 200, "{path}");
    }
    let reply = world.post(&format!("/belay/v1/jobs/{id}/cancel/"), &Value::Null);
    assert_eq!(reply.json()["outcome"], "cancelled");
}

#[test]
fn head_answers_like_get_without_a_body() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop"}));
    for path in [
        "/belay/v1/jobs".to_owned(),
        format!("/belay/v1/jobs/{id}"),
        "/belay/v1/jobs/99999".to_owned(),
        "/healthz".to_owned(),
    ] {
        let (get, head) = (world.get(&path), world.send("HEAD", &path, &Value::Null));
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        for name in ["content-type", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
    let reply = world.send("HEAD", "/belay/v1/jobs/batch", &Value::Null);
    assert_eq!((reply.status, reply.body.len()), (405, 0));
}

#[test]
fn clients_that_accept_no_json_are_told_so() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop"}));
    let before = world.contents();
    let ask = |method: &str, path: &str, accept: &str| {
        world.send_with(
            &world.admin,
            method,
            path,
            &[("Accept", accept)],
            &Value::Null,
        )
    };
    for accept in ["text/html", "application/xml", "application/json;q=0"] {
        let cancel = format!("/belay/v1/jobs/{id}/cancel");
        for (method, path) in [("GET", "/belay/v1/jobs"), ("POST", &cancel)] {
            ask(method, path, accept).problem(406, "not-acceptable", &json!({}));
        }
    }
    assert_eq!(world.contents(), before);
    for accept in [
        "*/*",
        "text/html, application/*;q=0.5",
        "application/problem+json",
    ] {
        assert_eq!(ask("GET", "/belay/v1/jobs", accept).status, 200, "{accept}");
    }
}

#[test]
fn every_answer_carries_a_request_id() {
    let world = World::new();
    let send = |path: &str, id: &str| {
        let headers = [("X-Request-Id", id)];
        world.send_with(&world.admin, "GET", path, &headers, &Value::Null)
    };
    for path in [
        "/belay/v1/jobs",
        "/belay/v1/jobs/999",
        "/belay/v1/nothing",
        "/healthz",
        "/metrics",
        "/docs/",
        "/openapi.json",
    ] {
        assert_eq!(
            send(path, "my-id_1.2").header("x-request-id"),
            Some("my-id_1.2"),
            "{path}"
        );
        let long = "x".repeat(65);
        for bad in ["", "a b", "a\"b", &long] {
            let reply = send(path, bad);
            assert_eq!(
                reply.header("x-request-id").map(str::len),
                Some(36),
                "{path} {bad}"
            );
        }
    }
    let problem = send("/belay/v1/jobs/999", "mine").json();
    assert_eq!(problem["request_id"], "mine");
}

#[test]
fn requests_are_counted_by_route_and_cancels_by_outcome() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop"}));
    for _ in 0..2 {
        world.post(&format!("/belay/v1/jobs/{id}/cancel"), &Value::Null);
    }
    world.post("/belay/v1/jobs/cancel", &json!({"ids": [id, 999_999]}));
    world.get("/belay/v1/nothing");
    let text = request(world.address(), "GET", "/metrics", &[], b"").text();
    for line in [
        r#"belay_http_requests_total{method="POST",route="/belay/v1/jobs/{id}/cancel",status="200"} 2"#,
        r#"belay_http_requests_total{method="POST",route="/belay/v1/jobs",status="201"} 1"#,
        r#"belay_cancels_total{interface="native",outcome="cancelled"} 1"#,
        r#"belay_cancels_total{interface="native",outcome="already"} 2"#,
        r#"belay_cancels_total{interface="native",outcome="missing"} 1"#,
        r#"belay_jobs_enqueued_total{interface="native"} 1"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("/belay/v1/nothing"), "{text}");
}

#[test]
fn a_connection_is_kept_also_after_a_refusal() {
    use std::io::{Read, Write};
    let world = World::new();
    let mut stream = std::net::TcpStream::connect(world.address()).unwrap();
    for (body, status) in [("{", "400"), (r#"{"kind":"noop"}"#, "201"), ("[]", "422")] {
        let request = format!(
            "POST /belay/v1/jobs HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
            world.admin,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        // An answer ends with the object that is its body.
        while answer.last() != Some(&b'}') {
            let n = stream.read(&mut buffer).unwrap();
            assert_ne!(n, 0, "the connection was closed");
            answer.extend_from_slice(&buffer[..n]);
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
}
