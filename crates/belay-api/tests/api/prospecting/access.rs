//! Who may do what, and what a caller without access learns.

use belay_core::JobState;
use belay_core::ops;
use serde_json::{Value, json};

use super::{NOBODY, cancel, failure, group, job, jobs, success};
use crate::support::{Reply, Wish, World, request};

/// Method and path of everything there is, of one job.
fn operations(world: &World, id: i64) -> [(&'static str, String, &'static str); 5] {
    [
        ("GET", "/v1/accounts".to_owned(), "read"),
        ("GET", jobs(world), "read"),
        ("POST", jobs(world), "write"),
        ("GET", job(world, id), "read"),
        ("POST", cancel(world, id), "write"),
    ]
}

/// A body without what differs from request to request.
fn without_trace(reply: &Reply) -> String {
    let trace = reply.json()["traceId"].as_str().unwrap().to_owned();
    reply.text().replace(&trace, "")
}

#[test]
fn without_a_key_that_works_nothing_is_told() {
    let world = World::new();
    let id = world.make(JobState::Queued).id;
    let revoked = world.key("old", &["admin"], None);
    world.db.tx(|c| ops::revoke_key(c, "old")).unwrap();
    let before = world.contents();
    let revoked = format!("Bearer {revoked}");
    for (method, path, _) in operations(&world, id) {
        for headers in [
            vec![],
            vec![("Authorization", "Bearer belay_0")],
            vec![("Authorization", "Basic Y2k6YTpi")],
            vec![("Authorization", revoked.as_str())],
        ] {
            let reply = request(world.address(), method, &path, &headers, b"");
            failure(&reply, 401, "UNAUTHORIZED");
            assert_eq!(
                reply.header("www-authenticate"),
                Some("Bearer"),
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
    let reader = world.key("reader", &["prospecting:read"], None);
    let writer = world.key("writer", &["prospecting:write"], None);
    let others = [
        "read",
        "write",
        "worker",
        "metrics",
        "jobs:read",
        "jobs:write",
        "ingest",
    ];
    let others = world.key("others", &others, None);
    for (method, path, scope) in operations(&world, id) {
        let status = |key: &str| world.send_as(key, method, &path, &Value::Null).status;
        assert_eq!(status(&others), 403, "{method} {path}");
        assert_eq!(status(&reader) == 403, scope == "write", "{method} {path}");
        assert_eq!(status(&writer) == 403, scope == "read", "{method} {path}");
    }
}

#[test]
fn a_refusal_is_the_same_for_jobs_that_exist_and_that_do_not() {
    let world = World::new();
    let other = world.tenant("other");
    let elsewhere = world.key(
        "elsewhere",
        &["prospecting:read", "prospecting:write"],
        Some(&[other]),
    );
    let reader = world.key("reader", &["prospecting:read"], Some(&[1]));
    let id = world.make(JobState::Queued).id;
    let before = world.contents();
    let missing = format!("{}/{NOBODY}/cancel", jobs(&world));
    // 24 digits, of which no account group and no job could ever be made.
    let nothing = "f".repeat(24);
    let nowhere = format!("/v1/accounts/{nothing}/prospecting/{nothing}/cancel");
    let none = format!("/v1/accounts/{NOBODY}/prospecting/{NOBODY}/cancel");
    let mut bodies = Vec::new();
    for (key, path) in [
        (&reader, cancel(&world, id)),
        (&reader, missing.clone()),
        (&elsewhere, cancel(&world, id)),
        (&elsewhere, missing),
        (&elsewhere, none.clone()),
        (&elsewhere, nowhere.clone()),
        // Also a key that reaches every account group is told no more.
        (&world.admin, none),
        (&world.admin, nowhere),
    ] {
        let reply = world.send_as(key, "POST", &path, &json!({"reason": 7}));
        failure(&reply, 403, "FORBIDDEN");
        bodies.push(without_trace(&reply));
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:#?}");
    assert_eq!(world.contents(), before);
}

#[test]
fn a_job_of_another_group_is_no_job() {
    let world = World::new();
    let other = world.tenant("other");
    let theirs = Wish {
        tenant: other,
        ..Wish::default()
    };
    let id = world.make_with(JobState::Queued, &theirs).id;
    let key = world.seen(id).key();
    // The number is right, and the time in it is not.
    let wrong = format!("00000001{}", &key[8..]);
    let before = world.contents();
    let mut bodies = Vec::new();
    for (asked, group) in [
        (key.as_str(), group(&world, 1)),
        (NOBODY, group(&world, 1)),
        (wrong.as_str(), group(&world, other)),
        (&"0".repeat(24), group(&world, 1)),
        (&"f".repeat(24), group(&world, 1)),
    ] {
        let path = format!("/v1/accounts/{group}/prospecting/{asked}");
        for reply in [
            world.get(&path),
            world.post(&format!("{path}/cancel"), &Value::Null),
            world.post(&format!("{path}/cancel"), &json!({"reason": 7})),
        ] {
            failure(&reply, 404, "NOT_FOUND");
            bodies.push(without_trace(&reply).replace(asked, ""));
        }
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:#?}");
    assert_eq!(world.contents(), before);
    let theirs = format!(
        "/v1/accounts/{}/prospecting/{key}/cancel",
        group(&world, other)
    );
    success(
        &world.post(&theirs, &Value::Null),
        200,
        &json!({"jobId": key, "status": "cancelled"}),
    );
}

#[test]
fn ids_of_another_form_are_refused_before_access() {
    let world = World::new();
    let nobody = world.key(
        "nobody",
        &["prospecting:read", "prospecting:write"],
        Some(&[]),
    );
    let id = world.make(JobState::Queued).id;
    let (own, key) = (group(&world, 1), world.seen(id).key());
    let uid = world.seen(id).uid().to_string();
    let (upper_group, upper) = (own.to_uppercase(), key.to_uppercase());
    assert_ne!(upper, key, "the test needs a letter in it");
    for (group, job) in [
        (own.as_str(), upper.as_str()),
        (upper_group.as_str(), key.as_str()),
        (own.as_str(), "1"),
        ("1", key.as_str()),
        (own.as_str(), uid.as_str()),
        (own.as_str(), &key[1..]),
        (own.as_str(), "0x065cb00000000000000009"),
        ("default", key.as_str()),
    ] {
        let path = format!("/v1/accounts/{group}/prospecting/{job}");
        for key in [&nobody, &world.admin] {
            for reply in [
                world.send_as(key, "GET", &path, &Value::Null),
                world.send_as(key, "POST", &format!("{path}/cancel"), &Value::Null),
            ] {
                failure(&reply, 400, "VALIDATION_ERROR");
            }
        }
    }
    assert_eq!(world.seen(id).state, JobState::Queued);
}
