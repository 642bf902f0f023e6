//! When the whole request fails.

use std::num::NonZeroU32;
use std::time::Duration;

use belay_api::{AdminApi, RateLimit};
use belay_core::Db;
use belay_core::db::DbConfig;
use belay_core::ops::{self, Actor, NewKey, Via};
use belay_testkit::{TestCluster, eventually};
use diesel::connection::SimpleConnection;
use serde_json::json;

use super::{
    BASE, CANCEL, accepted, cancel, cancel_ids, data, expect_failure, queued, send, send_as,
};
use crate::support::{Server, World, request};

#[test]
fn without_a_session_that_works_nothing_is_done() {
    let world = World::new();
    let id = queued(&world, 1)[0];
    let body = format!(r#"[{{"job_id":{id}}}]"#);
    let before = world.contents();
    let reply = request(world.address(), "POST", CANCEL, &[], body.as_bytes());
    expect_failure(&reply, 200, "INVALID_SESSION_ID");
    for session in [
        "",
        "x",
        "Bearer",
        "Bearer ",
        "Basic eDp5",
        "belay_0000",
        "belay_session_0000",
        &format!("{}0", world.admin),
        &format!("Token {}", world.admin),
        &format!("{} {}", world.admin, world.admin),
    ] {
        let reply = send_as(&world, session, "POST", CANCEL, &[], &body);
        expect_failure(&reply, 200, "INVALID_SESSION_ID");
    }
    for (method, path) in [
        ("POST", "/keep-alive"),
        ("DELETE", "/session"),
        ("GET", "/services/jobs/1"),
        ("GET", "/services/jobs/1/tasks"),
        ("GET", "/services/jobs/monitors"),
        ("GET", "/services/jobs/histories"),
        ("POST", "/services/jobs/start_now/1"),
    ] {
        let reply = request(world.address(), method, &format!("{BASE}{path}"), &[], b"");
        expect_failure(&reply, 200, "INVALID_SESSION_ID");
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn every_verb_needs_its_scope() {
    let world = World::new();
    let id = queued(&world, 1)[0];
    let others = [
        "read",
        "write",
        "jobs:read",
        "jobs:write",
        "bulk:write",
        "ingest",
        "prospecting:write",
    ];
    let useless = world.key("useless", &others, None);
    let reader = world.key("reader", &["vault:read"], None);
    let writer = world.key("writer", &["vault:write"], None);
    let body = format!(r#"[{{"job_id":{id}}}]"#);
    let before = world.contents();
    for (method, path, by) in [
        ("GET", format!("/services/jobs/{id}"), &reader),
        ("GET", format!("/services/jobs/{id}/tasks"), &reader),
        ("GET", "/services/jobs/monitors".into(), &reader),
        ("GET", "/services/jobs/histories".into(), &reader),
        ("POST", "/services/jobs/start_now/4711".into(), &writer),
        ("POST", "/services/jobs/actions/cancel".into(), &writer),
    ] {
        let path = format!("{BASE}{path}");
        for key in [&useless, &reader, &writer] {
            let sent = if method == "POST" && key != by {
                &body
            } else {
                ""
            };
            let reply = send_as(&world, key, method, &path, &[], sent);
            if key == by {
                assert!(!reply.text().contains("INSUFFICIENT_ACCESS"), "{path}");
            } else {
                expect_failure(&reply, 200, "INSUFFICIENT_ACCESS");
            }
        }
    }
    assert_eq!(world.contents(), before);
    // Any session can be kept and ended.
    for (method, path) in [("POST", "/keep-alive"), ("DELETE", "/session")] {
        let reply = send_as(&world, &useless, method, &format!("{BASE}{path}"), &[], "");
        super::expect(&reply, 200, &json!({"responseStatus": "SUCCESS"}));
    }
    let reply = send_as(&world, &writer, "POST", CANCEL, &[], body);
    assert_eq!(data(&reply), [accepted(id)]);
}

#[test]
fn a_tenant_out_of_reach_is_refused_whether_or_not_it_exists() {
    let world = World::new();
    let (own, other) = (world.tenant("own"), world.tenant("other"));
    let key = world.key("own", &["vault:read", "vault:write"], Some(&[own]));
    let id = queued(&world, 1)[0];
    let body = format!(r#"[{{"job_id":{id}}}]"#);
    let before = world.contents();
    for tenant in ["default", "other", "nobody", &other.to_string(), "4711"] {
        let headers = [("Belay-Tenant", tenant)];
        let reply = send_as(&world, &key, "POST", CANCEL, &headers, &body);
        let message = expect_failure(&reply, 200, "INSUFFICIENT_ACCESS");
        assert!(message.contains(tenant), "{message}");
        // Before the job and the body.
        let reply = send_as(&world, &key, "POST", CANCEL, &headers, "[");
        expect_failure(&reply, 200, "INSUFFICIENT_ACCESS");
    }
    // Its own tenant has no such job.
    let reply = send_as(&world, &key, "POST", CANCEL, &[], &body);
    assert_eq!(data(&reply), [super::unknown(id)]);
    assert_eq!(world.contents(), before);
    // Whoever may touch all learns that there is none; a path is not what is wrong.
    let reply = send(&world, "POST", CANCEL, &[("Belay-Tenant", "nobody")], &body);
    expect_failure(&reply, 200, "INVALID_DATA");
}

#[test]
fn too_many_requests_are_told_when_to_come_back() {
    let one = NonZeroU32::MIN;
    let world = World::with(|builder| {
        builder.rate_limit(RateLimit {
            per_second: one,
            burst: one,
        })
    });
    let limited = (0..20).find_map(|_| {
        let reply = cancel(&world, "[{}]");
        (reply.json()["responseStatus"] == "FAILURE").then_some(reply)
    });
    let reply = limited.unwrap();
    expect_failure(&reply, 200, "API_LIMIT_EXCEEDED");
    assert_eq!(reply.header("retry-after"), Some("1"));
}

#[test]
fn a_defect_is_an_exception_without_internals() {
    let world = World::new();
    let id = world.running("noop").id;
    let mut conn = world.test_db.conn();
    conn.batch_execute("alter table belay.job_progress rename to gone")
        .unwrap();
    let reply = super::get(&world, &format!("/services/jobs/{id}"));
    let message = expect_failure(&reply, 500, "UNEXPECTED_ERROR");
    assert!(!message.contains("job_progress"), "{message}");
}

#[test]
fn a_job_that_somebody_else_holds_too_long_is_busy_and_nothing_is_changed() {
    let world = World::new();
    let ids = queued(&world, 3);
    let before = world.contents();
    let mut conn = world.test_db.conn();
    conn.batch_execute(&format!(
        "begin; select from belay.job where id = {} for update",
        ids[1]
    ))
    .unwrap();
    let body: Vec<_> = ids.iter().map(|id| json!({"job_id": id})).collect();
    let reply = cancel(&world, json!(body));
    expect_failure(&reply, 503, "UNEXPECTED_ERROR");
    assert_eq!(reply.header("retry-after"), Some("1"));
    conn.batch_execute("rollback").unwrap();
    assert_eq!(world.contents(), before);
    assert_eq!(
        cancel_ids(&world, &ids),
        ids.iter().map(|id| accepted(*id)).collect::<Vec<_>>()
    );
}

#[test]
fn a_database_that_is_away_is_an_exception() {
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
    cluster.kill9().unwrap();
    let headers = [("Authorization", key.as_str())];
    // A session of the server may outlive it for a moment.
    let reply = eventually(Duration::from_secs(30), || {
        let reply = request(
            server.address,
            "POST",
            CANCEL,
            &headers,
            b"[{\"job_id\":1}]",
        );
        (reply.status != 200).then_some(reply)
    });
    expect_failure(&reply, 500, "UNEXPECTED_ERROR");
}
