//! The database goes away and comes back; or is too busy.

use std::time::Duration;

use belay_api::AdminApi;
use belay_core::Db;
use belay_core::db::DbConfig;
use belay_core::ops::{self, Actor, NewKey, Via};
use belay_testkit::{TestCluster, eventually};
use serde_json::{Value, json};

use crate::support::{Reply, Server, World, request};

fn ask(server: &Server, key: &str, method: &str, path: &str, body: &str) -> Reply {
    let bearer = format!("Bearer {key}");
    request(
        server.address,
        method,
        path,
        &[("Authorization", &bearer)],
        body.as_bytes(),
    )
}

#[test]
fn a_database_that_is_away_is_a_problem_until_it_is_back() {
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
    let job = r#"{"kind":"noop"}"#;
    assert_eq!(
        ask(&server, &key, "POST", "/belay/v1/jobs", job).status,
        201
    );
    assert_eq!(ask(&server, &key, "GET", "/readyz", "").status, 200);

    cluster.kill9().unwrap();
    // Sessions outlive the postmaster by a moment.
    eventually(Duration::from_secs(30), || {
        (ask(&server, &key, "GET", "/belay/v1/queues", "").status == 503).then_some(())
    });
    for (method, path, body) in [
        ("POST", "/belay/v1/jobs", job),
        ("GET", "/belay/v1/jobs", ""),
        ("POST", "/belay/v1/jobs/1/cancel", ""),
        ("GET", "/belay/v1/queues", ""),
    ] {
        let reply = ask(&server, &key, method, path, body);
        let detail = "the database cannot be reached now; try again in a moment";
        reply.problem(503, "unreachable", &json!({"detail": detail}));
        assert_eq!(reply.header("retry-after"), Some("5"), "{method} {path}");
    }
    // A key that nobody remembers cannot be looked up: that is no reason to call it wrong.
    let unknown = format!("belay_{}", "0".repeat(48));
    ask(&server, &unknown, "GET", "/belay/v1/jobs", "").problem(503, "unreachable", &json!({}));
    let ready = ask(&server, &key, "GET", "/readyz", "");
    let failing = json!({"name": "database", "ok": false, "detail": "it cannot be reached"});
    ready.expect(503, &json!({"status": "failing", "checks": [failing]}));
    assert_eq!(ask(&server, &key, "GET", "/healthz", "").status, 200);
    let metrics = ask(&server, &key, "GET", "/metrics", "");
    assert!(metrics.status == 200 && metrics.text().contains("belay_http_requests_total"));

    cluster.restart().unwrap();
    eventually(Duration::from_secs(30), || {
        (ask(&server, &key, "POST", "/belay/v1/jobs", job).status == 201).then_some(())
    });
    assert_eq!(
        ask(&server, &key, "GET", "/belay/v1/jobs/1", "").json()["state"],
        "queued"
    );
}

#[test]
fn a_job_that_somebody_else_holds_too_long_is_busy_and_unchanged() {
    use diesel::connection::SimpleConnection;
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop"}));
    let before = world.contents();
    let mut conn = world.test_db.conn();
    conn.batch_execute(&format!(
        "begin; select from belay.job where id = {id} for update"
    ))
    .unwrap();
    let reply = world.post(&format!("/belay/v1/jobs/{id}/cancel"), &Value::Null);
    let detail = "the daemon is busy and nothing was changed; try again in a moment";
    reply.problem(503, "busy", &json!({"detail": detail}));
    assert_eq!(reply.header("retry-after"), Some("1"));
    conn.batch_execute("rollback").unwrap();
    assert_eq!(world.contents(), before);
    let reply = world.post(&format!("/belay/v1/jobs/{id}/cancel"), &Value::Null);
    assert_eq!(reply.json()["outcome"], "cancelled");
}

#[test]
fn defects_are_told_without_internals() {
    use diesel::connection::SimpleConnection;
    let world = World::new();
    let mut conn = world.test_db.conn();
    conn.batch_execute("alter table belay.job_progress rename to gone")
        .unwrap();
    let id = world.running("noop").id;
    let reply = world.get(&format!("/belay/v1/jobs/{id}"));
    reply.problem(500, "internal", &json!({}));
    assert!(!reply.text().contains("job_progress"), "{}", reply.text());
}
