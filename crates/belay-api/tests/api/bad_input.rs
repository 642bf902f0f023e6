//! Bodies and paths that cannot be meant. Each is refused with the right status, and changes nothing.

use serde_json::{Value, json};

use crate::support::{Reply, World, exchange, request};

const JOBS: &str = "/belay/v1/jobs";

fn raw(world: &World, path: &str, kind: Option<&str>, body: &[u8]) -> Reply {
    let bearer = format!("Bearer {}", world.admin);
    let mut headers = vec![("Authorization", bearer.as_str())];
    if let Some(kind) = kind {
        headers.push(("Content-Type", kind));
    }
    request(world.address(), "POST", path, &headers, body)
}

#[test]
fn what_is_no_json_is_malformed() {
    let world = World::new();
    let before = world.contents();
    let deep = format!(
        r#"{{"kind":"noop","payload":{}{}}}"#,
        "[".repeat(67),
        "]".repeat(67)
    );
    let very_deep = format!(r#"{{"kind":"noop","payload":{}"#, "[".repeat(500_000));
    // Short as it is written, unreadable as it would be stored.
    let growing = format!(
        r#"{{"kind":"noop","payload":[{}0]}}"#,
        "1e-16000,".repeat(10_000)
    );
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"{\"kind\":\"noop\"} {}",
        b"{'kind':'noop'}",
        b"{\"kind\":\"noop\",}",
        b"kind=noop",
        b"\xff\xfe{\0}\0",
        b"{\"kind\":\"no\xffop\"}",
        b"\xef\xbb\xbf\xef\xbb\xbf{\"kind\":\"noop\"}",
        br#"{"kind":"noop","kind":"sleep"}"#,
        br#"{"kind":"noop","payload":{"a":1,"a":2}}"#,
        br#"{"kind":"noop","payload":{"a":[{"b":1,"b":1}]}}"#,
        br#"{"kind":"noop","payload":"\u0000"}"#,
        br#"{"kind":"noop","payload":{"\u0000":1}}"#,
        br#"{"kind":"no\u0000op"}"#,
        br#"{"kind":"noop","payload":"\ud800"}"#,
        br#"{"kind":"noop","payload":NaN}"#,
        br#"{"kind":"noop","payload":1e999}"#,
        br#"{"kind":"noop","payload":01}"#,
        br#"{"kind":"noop","payload":1e-20000}"#,
        growing.as_bytes(),
        deep.as_bytes(),
        very_deep.as_bytes(),
    ] {
        for path in [JOBS, "/belay/v1/jobs/batch", "/belay/v1/jobs/cancel"] {
            let reply = raw(&world, path, Some("application/json"), body);
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            assert_eq!(reply.status, 400, "{path} {shown}: {}", reply.text());
            reply.problem(400, "malformed", &json!({}));
        }
    }
    assert_eq!(world.contents(), before);
    // One level less is fine.
    let fine = format!(
        r#"{{"kind":"noop","payload":{}{}}}"#,
        "[".repeat(63),
        "]".repeat(63)
    );
    assert_eq!(raw(&world, JOBS, None, fine.as_bytes()).status, 201);
}

#[test]
fn values_that_are_not_allowed_are_named() {
    let world = World::new();
    let before = world.contents();
    let long = "x".repeat(256);
    for (job, field) in [
        (json!([]), None),
        (json!("noop"), None),
        (json!(null), None),
        (json!({}), Some("kind")),
        (json!({"kind": ""}), Some("kind")),
        (json!({"kind": "nope"}), Some("kind")),
        (json!({"kind": ["noop"]}), Some("kind")),
        (json!({"kind": "noop", "priority": 12}), Some("priority")),
        (json!({"kind": "noop", "priority": -1}), Some("priority")),
        (json!({"kind": "noop", "priority": 1.5}), Some("priority")),
        (json!({"kind": "noop", "priority": "5"}), Some("priority")),
        (
            json!({"kind": "noop", "priority": 99_999_999_999_i64}),
            Some("priority"),
        ),
        (
            json!({"kind": "noop", "max_attempts": 0}),
            Some("max_attempts"),
        ),
        (
            json!({"kind": "noop", "max_attempts": 1001}),
            Some("max_attempts"),
        ),
        (json!({"kind": "noop", "timeout_s": 0}), Some("timeout_s")),
        (
            json!({"kind": "noop", "timeout_s": 31_536_001}),
            Some("timeout_s"),
        ),
        (
            json!({"kind": "noop", "job_timeout_s": 0}),
            Some("job_timeout_s"),
        ),
        (json!({"kind": "noop", "queue": ""}), Some("queue")),
        (json!({"kind": "noop", "queue": "a b"}), Some("queue")),
        (json!({"kind": "noop", "queue": 7}), Some("queue")),
        (
            json!({"kind": "noop", "unique_key": ""}),
            Some("unique_key"),
        ),
        (
            json!({"kind": "noop", "unique_key": long}),
            Some("unique_key"),
        ),
        (
            json!({"kind": "noop", "run_at": "tomorrow"}),
            Some("run_at"),
        ),
        (
            json!({"kind": "noop", "run_at": 1_790_000_000}),
            Some("run_at"),
        ),
        (
            json!({"kind": "noop", "run_at": "2026-12-24T18:00:00"}),
            Some("run_at"),
        ),
        (
            json!({"kind": "noop", "runat": "2099-01-01T00:00:00Z"}),
            Some("runat"),
        ),
        (json!({"kind": "noop", "Priority": 1}), Some("Priority")),
    ] {
        let reply = raw(&world, JOBS, None, job.to_string().as_bytes());
        assert_eq!(reply.status, 422, "{job}: {}", reply.text());
        let more = field.map_or(json!({}), |field| json!({"field": field}));
        reply.problem(422, "invalid", &more);
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn reasons_have_a_limit() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop", "run_at": "2099-01-01T00:00:00Z"}));
    let before = world.contents();
    let long = "é".repeat(1001);
    for verb in ["cancel", "start", "retry", "suspend", "resume"] {
        let path = format!("/belay/v1/jobs/{id}/{verb}");
        for (body, field) in [
            (json!({"reason": long}), "reason"),
            (json!({"reason": 7}), "reason"),
            (json!({"raeson": "x"}), "raeson"),
        ] {
            world
                .post(&path, &body)
                .problem(422, "invalid", &json!({"field": field}));
        }
        raw(&world, &path, None, b"{").problem(400, "malformed", &json!({}));
        raw(&world, &path, Some("text/plain"), b"{}").problem(
            415,
            "unsupported-media-type",
            &json!({}),
        );
    }
    world
        .send(
            "DELETE",
            &format!("/belay/v1/jobs/{id}/data?reason={}", "x".repeat(1001)),
            &Value::Null,
        )
        .problem(422, "invalid", &json!({"field": "reason"}));
    world
        .post(&format!("/belay/v1/jobs/{id}/cancel"), &json!({"force": 1}))
        .problem(422, "invalid", &json!({"field": "force"}));
    assert_eq!(world.contents(), before);
    let fine = json!({"reason": "é".repeat(1000)});
    assert_eq!(
        world
            .post(&format!("/belay/v1/jobs/{id}/cancel"), &fine)
            .status,
        200
    );
}

#[test]
fn bodies_above_the_limit_are_refused_however_they_arrive() {
    let world = World::new();
    let before = world.contents();
    let large = json!({"kind": "noop", "payload": "x".repeat(2_000_000)}).to_string();
    let detail = json!({"detail": "the body is larger than the 1064960 bytes allowed here"});
    raw(&world, JOBS, None, large.as_bytes()).problem(413, "too-large", &detail);

    let mut chunked = format!(
        "POST {JOBS} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        world.admin
    )
    .into_bytes();
    for part in large.as_bytes().chunks(50_000) {
        chunked.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        chunked.extend_from_slice(part);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    exchange(world.address(), &chunked).problem(413, "too-large", &detail);
    assert_eq!(world.contents(), before);

    // Exactly the limit is fine.
    let mut most = json!({"kind": "noop", "payload": "x".repeat(1_048_574)}).to_string();
    most.push_str(&" ".repeat(1_064_960 - most.len()));
    assert_eq!(raw(&world, JOBS, None, most.as_bytes()).status, 201);
    raw(&world, JOBS, None, format!("{most} ").as_bytes()).problem(413, "too-large", &detail);
}

#[test]
fn bodies_of_another_type_are_refused() {
    let world = World::new();
    let before = world.contents();
    let body = br#"{"kind":"noop"}"#;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/json+x",
        "json",
        "",
    ] {
        raw(&world, JOBS, Some(kind), body).problem(415, "unsupported-media-type", &json!({}));
    }
    let bearer = format!("Bearer {}", world.admin);
    let gzip = [
        ("Authorization", bearer.as_str()),
        ("Content-Encoding", "gzip"),
    ];
    request(world.address(), "POST", JOBS, &gzip, body).problem(
        415,
        "unsupported-media-type",
        &json!({}),
    );
    assert_eq!(world.contents(), before);
    for kind in [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        "application/json;x=y",
    ] {
        assert_eq!(raw(&world, JOBS, Some(kind), body).status, 201, "{kind}");
    }
    // Where the body is optional, an empty one has any type.
    let id = world.enqueue(&json!({"kind": "noop"}));
    let path = format!("/belay/v1/jobs/{id}/cancel");
    assert_eq!(raw(&world, &path, Some("text/plain"), b"").status, 200);
}

#[test]
fn ids_in_odd_spellings_are_no_ids() {
    let world = World::new();
    let job = world.post(JOBS, &json!({"kind": "noop"})).json();
    let before = world.contents();
    let key = job["key"].as_str().unwrap();
    let (upper, short) = (key.to_uppercase(), &key[1..]);
    for id in [
        "0",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "0x1",
        "abc",
        "%20",
        "1%20",
        "%00",
        "%E2%91%A0",
        "9223372036854775808",
        "99999999999999999999",
        "null",
        "1,2",
        "*",
        &upper,
        short,
        "00000000-0000-0000-0000-000000000000",
    ] {
        if id == key {
            // All digits: upper case is the same.
            continue;
        }
        for (method, tail) in [
            ("GET", ""),
            ("GET", "/timeline"),
            ("POST", "/cancel"),
            ("DELETE", "/data"),
        ] {
            let reply = world.send(method, &format!("{JOBS}/{id}{tail}"), &Value::Null);
            assert_eq!(reply.status, 400, "{method} {id}{tail}: {}", reply.text());
            reply.problem(400, "malformed", &json!({"field": "id"}));
        }
    }
    // Well-formed, but of no job.
    let late = format!(
        "{:08x}{}",
        u32::from_str_radix(&key[..8], 16).unwrap() + 1,
        &key[8..]
    );
    for id in ["9223372036854775807", &late] {
        assert_eq!(world.get(&format!("{JOBS}/{id}")).status, 404, "{id}");
    }
    assert_eq!(world.contents(), before);
    let uid = job["uid"].as_str().unwrap().to_uppercase();
    assert_eq!(world.get(&format!("{JOBS}/{uid}")).json(), job);
}

#[test]
fn payloads_have_a_depth_and_a_size_of_their_own() {
    let world = World::new();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let string = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    for (payload, fine) in [
        (nested(64), true),
        (nested(65), false),
        (string(1 << 20), true),
        (string((1 << 20) + 1), false),
    ] {
        for (path, body) in [
            (JOBS, format!(r#"{{"kind":"noop","payload":{payload}}}"#)),
            (
                "/belay/v1/jobs/batch",
                format!(r#"{{"jobs":[{{"kind":"noop","payload":{payload}}}]}}"#),
            ),
        ] {
            let reply = raw(&world, path, None, body.as_bytes());
            if fine {
                assert!(reply.status < 300, "{path}: {}", reply.text());
            } else {
                // With what is around it, it may be too deep for any body.
                assert!(
                    matches!(reply.status, 400 | 422),
                    "{path}: {}",
                    reply.status
                );
            }
        }
    }
}
