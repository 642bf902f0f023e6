//! Who may do what, and what a caller without access learns.

use belay_core::JobState;
use serde_json::{Value, json};

use super::{cancel, job, problem};
use crate::support::{Wish, World, request};

/// Method and path of everything there is, and the scope it needs.
fn operations(id: i64) -> Vec<(&'static str, String, &'static str)> {
    vec![
        ("GET", "/v1/jobs".to_owned(), "read"),
        ("POST", "/v1/jobs".to_owned(), "write"),
        ("GET", job(id), "read"),
        ("POST", cancel(id), "write"),
        ("PUT", cancel(id), "write"),
        ("GET", format!("/v1/jobs/{id}/statusHistory"), "read"),
        ("PUT", format!("/v1/jobs/{id}/schedule"), "write"),
        ("PUT", format!("/v1/jobs/{id}/start"), "write"),
        ("PUT", format!("/v1/jobs/{id}/result"), "write"),
    ]
}

#[test]
fn without_a_token_that_works_nothing_is_told() {
    let world = World::new();
    let id = world.make(JobState::Queued).id;
    let before = world.contents();
    for (method, path, _) in operations(id) {
        for (headers, challenge) in [
            (vec![("Customer-Id", "1")], "Bearer"),
            (vec![], "Bearer"),
            (
                vec![("Authorization", "Bearer belay_0")],
                "Bearer error=\"invalid_token\"",
            ),
            (
                vec![("Authorization", "Basic Y2k6YTpi")],
                "Bearer error=\"invalid_token\"",
            ),
            (
                vec![("Authorization", "Bearer belay_session_0")],
                "Bearer error=\"invalid_token\"",
            ),
        ] {
            let reply = request(world.address(), method, &path, &headers, b"");
            problem(&reply, 401, &path);
            assert_eq!(
                reply.header("www-authenticate"),
                Some(challenge),
                "{headers:?}"
            );
        }
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn each_scope_opens_what_it_says() {
    let world = World::new();
    let id = world.make(JobState::Queued).id;
    let reader = world.key("reader", &["jobs:read"], None);
    let writer = world.key("writer", &["jobs:write"], None);
    let others = [
        "read",
        "write",
        "worker",
        "metrics",
        "prospecting:read",
        "prospecting:write",
        "vault:write",
    ];
    let others = world.key("others", &others, None);
    for (method, path, scope) in operations(id) {
        let status = |key: &str| world.ask_of(key, "1", method, &path, &Value::Null).status;
        assert_eq!(status(&others), 403, "{method} {path}");
        assert_eq!(status(&reader) == 403, scope == "write", "{method} {path}");
        assert_eq!(status(&writer) == 403, scope == "read", "{method} {path}");
    }
}

#[test]
fn another_customer_is_forbidden_whether_or_not_the_job_exists() {
    let world = World::new();
    let other = world.tenant("other");
    let key = world.key("ours", &["jobs:read", "jobs:write"], Some(&[1]));
    let theirs = Wish {
        tenant: other,
        ..Wish::default()
    };
    let id = world.make_with(JobState::Queued, &theirs).id;
    let before = world.contents();
    let mut bodies = Vec::new();
    for customer in [other.to_string(), "4711".to_owned(), i64::MAX.to_string()] {
        for job in [id, 999_999] {
            let path = cancel(job);
            let reply = world.ask_of(&key, &customer, "POST", &path, &json!({"reason": ""}));
            bodies.push(problem(&reply, 403, &path)["detail"].clone());
        }
    }
    // Nor does a key for all customers learn which there are.
    let path = cancel(id);
    bodies.push(
        problem(
            &world.ask_of(&world.admin, "4711", "POST", &path, &Value::Null),
            403,
            &path,
        )["detail"]
            .clone(),
    );
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_eq!(world.contents(), before);
}

#[test]
fn a_job_of_another_customer_is_no_job() {
    let world = World::new();
    let other = world.tenant("other");
    let theirs = Wish {
        tenant: other,
        ..Wish::default()
    };
    let id = world.make_with(JobState::Queued, &theirs).id;
    let before = world.contents();
    for (method, _, _) in operations(id) {
        for of in [id, 999_999] {
            for (_, path, _) in operations(of)
                .into_iter()
                .filter(|(m, path, _)| *m == method && path.len() > 8)
            {
                let reply = world.ask(method, &path, &json!({}));
                let body = problem(&reply, 404, &path);
                assert_eq!(body["detail"], format!("there is no job {of}"));
            }
        }
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn what_is_no_number_is_refused_before_access() {
    let world = World::new();
    let id = world.make(JobState::Queued).id;
    let key = world.key("nobody", &["jobs:read", "jobs:write"], Some(&[]));
    let before = world.contents();
    for customer in [
        "",
        "0",
        "01",
        "+1",
        "-1",
        "1.0",
        "1e0",
        "1 1",
        "1,1",
        "x",
        "default",
        "9223372036854775808",
    ] {
        let reply = world.ask_of(&key, customer, "POST", &cancel(id), &Value::Null);
        let body = problem(&reply, 400, &cancel(id));
        assert!(
            body["detail"].as_str().unwrap().contains("Customer-Id"),
            "{customer:?}"
        );
    }
    let twice = [("Customer-Id", "1"), ("Customer-Id", "1")];
    for headers in [&[][..], &twice[..]] {
        let reply = world.send_with(&key, "POST", &cancel(id), headers, &Value::Null);
        problem(&reply, 400, &cancel(id));
    }
    let (uid, key_of_job) = (world.seen(id).uid().to_string(), world.seen(id).key());
    for job in [
        "0",
        "01",
        "-1",
        "1.0",
        "x",
        "9223372036854775808",
        &uid,
        &key_of_job,
    ] {
        let path = format!("/v1/jobs/{job}/cancel");
        problem(
            &world.ask_of(&key, "1", "PUT", &path, &Value::Null),
            400,
            &path,
        );
    }
    assert_eq!(world.contents(), before);
}
