//! Alive, ready, and how it is doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use belay_api::{Check, Health};
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use crate::support::{Reply, World, request};

fn get(world: &World, path: &str) -> Reply {
    request(world.address(), "GET", path, &[], b"")
}

fn check(name: &str, detail: &Value) -> Value {
    json!({"name": name, "ok": detail.is_null(), "detail": detail})
}

/// 0: well, 1: ill, 2: panics.
struct Worker(AtomicU8);

impl Health for Worker {
    fn checks(&self) -> Vec<Check> {
        match self.0.load(Ordering::SeqCst) {
            0 => vec![Check::ok("worker")],
            1 => vec![Check::failed("worker", "it has lost its lease")],
            _ => panic!("ill"),
        }
    }
}

#[test]
fn a_daemon_that_can_work_is_ready() {
    let worker = Arc::new(Worker(AtomicU8::new(0)));
    let world = World::with({
        let worker = worker.clone();
        move |builder| builder.health(worker)
    });
    get(&world, "/healthz").expect(200, &json!({"status": "ok"}));
    let all = |last: Value| {
        json!([
            check("database", &Value::Null),
            check("schema", &Value::Null),
            check("partitions", &Value::Null),
            last
        ])
    };
    get(&world, "/readyz").expect(
        200,
        &json!({"status": "ok", "checks": all(check("worker", &Value::Null))}),
    );

    worker.0.store(1, Ordering::SeqCst);
    let ill = all(check("worker", &json!("it has lost its lease")));
    get(&world, "/readyz").expect(503, &json!({"status": "failing", "checks": ill}));
    worker.0.store(2, Ordering::SeqCst);
    let ill = all(check("host", &json!("a check of the host panicked")));
    get(&world, "/readyz").expect(503, &json!({"status": "failing", "checks": ill}));
    // Still alive.
    assert_eq!(get(&world, "/healthz").status, 200);
}

#[test]
fn a_schema_that_does_not_fit_is_not_ready() {
    let world = World::new();
    let mut conn = world.test_db.conn();
    conn.batch_execute(
        "insert into belay.__diesel_schema_migrations (version) values ('99990101000000')",
    )
    .unwrap();
    let reply = get(&world, "/readyz");
    let checks = reply.json()["checks"].clone();
    assert_eq!(
        (reply.status, &checks[1]["name"], &checks[1]["ok"]),
        (503, &json!("schema"), &json!(false))
    );
    assert!(
        checks[1]["detail"]
            .as_str()
            .unwrap()
            .contains("99990101000000"),
        "{checks}"
    );
}

#[test]
fn missing_partitions_are_not_ready() {
    let world = World::new();
    let mut conn = world.test_db.conn();
    conn.batch_execute(
        "do $$ begin execute 'drop table belay.job_done_' || to_char(now() at time zone 'UTC' + interval '1 day', 'YYYYMMDD'); end $$",
    )
    .unwrap();
    let reply = get(&world, "/readyz");
    let checks = reply.json()["checks"].clone();
    assert_eq!(
        (reply.status, &checks[2]["name"], &checks[2]["ok"]),
        (503, &json!("partitions"), &json!(false))
    );
}

#[test]
fn metrics_are_in_the_text_format_and_need_no_key() {
    let world = World::new();
    world.enqueue(&json!({"kind": "noop"}));
    let reply = get(&world, "/metrics");
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let text = reply.text();
    assert!(
        text.contains(r#"belay_jobs{queue="default",state="queued"} 1"#),
        "{text}"
    );
    // The figures from the database are not read anew for every scrape.
    world.enqueue(&json!({"kind": "noop"}));
    let text = get(&world, "/metrics").text();
    assert!(
        text.contains(r#"belay_jobs{queue="default",state="queued"} 1"#),
        "{text}"
    );
    assert!(
        text.contains(r#"belay_jobs_enqueued_total{interface="native"} 2"#),
        "{text}"
    );
}
