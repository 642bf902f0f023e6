//! Registering, and whose a worker is.

use serde_json::{Value, json};

use super::support::Player;
use crate::support::World;

const REGISTER: &str = "/belay/v1/worker/register";

#[test]
fn a_new_kind_is_registered_and_a_known_one_stays_as_it_is() {
    let world = World::new();
    let key = world.key("w", &["worker"], None);
    let reply = world.send_as(
        &key,
        "POST",
        REGISTER,
        &json!({
            "name": "one", "slots": 4, "lease_s": 10, "host": "here", "pid": 7, "version": "1.2",
            "kinds": ["plain", {"name": "mail", "queue": "slow", "priority": 2, "max_attempts": 3, "timeout_s": 60, "job_timeout_s": 600,
                                "can_suspend": true, "grace_s": 1.5}]
        }),
    );
    let body = reply.expect(
        201,
        &json!({"worker": "[number]", "lease_s": 10, "beat_s": 2.0, "kinds": ["plain", "mail"]}),
    );
    let kinds = |world: &World| world.get("/belay/v1/kinds").json()["kinds"].clone();
    let find = |name: &str| -> Value {
        let kinds = kinds(&world);
        let list = kinds.as_array().unwrap();
        list.iter()
            .find(|kind| kind["name"] == name)
            .unwrap()
            .clone()
    };
    let mail = json!({"name": "mail", "executor": "remote", "queue": "slow", "priority": 2, "max_attempts": 3, "timeout_s": 60, "job_timeout_s": 600, "can_suspend": true, "grace_s": 1.5});
    assert_eq!(find("mail"), mail);
    assert_eq!(find("plain")["executor"], "remote");
    let again = json!({"name": "two", "slots": 4, "kinds": [{"name": "mail", "queue": "fast"}]});
    assert_eq!(world.send_as(&key, "POST", REGISTER, &again).status, 201);
    assert_eq!(find("mail"), mail);

    let workers = world.get("/belay/v1/workers").json();
    let worker = &workers["workers"][0];
    assert_eq!(worker["id"], body["worker"]);
    assert_eq!(
        (
            &worker["name"],
            &worker["host"],
            &worker["pid"],
            &worker["version"]
        ),
        (&json!("one"), &json!("here"), &json!(7), &json!("1.2"))
    );
    assert_eq!(
        (&worker["key"], &worker["lease_ms"]),
        (&json!("w"), &json!(10_000))
    );
}

#[test]
fn a_kind_that_the_daemon_runs_is_refused_and_nothing_is_registered() {
    let world = World::new();
    let key = world.key("w", &["worker"], None);
    let before = world.contents();
    let body = json!({"name": "one", "slots": 4, "kinds": ["fresh", "sleep"]});
    let problem = world
        .send_as(&key, "POST", REGISTER, &body)
        .problem(409, "conflict", &json!({}));
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("\"sleep\"") && detail.contains("\"builtin\""),
        "{detail}"
    );
    assert_eq!(world.contents(), before);
    assert_eq!(world.get("/belay/v1/workers").json()["workers"], json!([]));
}

#[test]
fn what_cannot_be_registered_is_refused_by_name() {
    let world = World::new();
    let key = world.key("w", &["worker"], None);
    let before = world.contents();
    let good = json!({"name": "one", "slots": 4, "kinds": ["a"]});
    for (member, value, field) in [
        ("name", json!(""), "name"),
        ("name", json!("x".repeat(201)), "name"),
        ("name", json!(null), "name"),
        ("slots", json!(0), "slots"),
        ("slots", json!(10_001), "slots"),
        ("slots", json!(1.5), "slots"),
        ("slots", json!(null), "slots"),
        ("lease_s", json!(0), "lease_s"),
        ("lease_s", json!(3601), "lease_s"),
        ("kinds", json!([]), "kinds"),
        ("kinds", json!(["a", {"name": "a"}]), "kinds"),
        ("kinds", json!("a"), "kinds"),
        ("kinds", json!([7]), "kinds[0]"),
        ("kinds", json!(["a", "-b"]), "kinds[1]"),
        ("kinds", json!([{"name": "a b"}]), "kinds[0].name"),
        (
            "kinds",
            json!([{"name": "a", "queue": ""}]),
            "kinds[0].queue",
        ),
        (
            "kinds",
            json!([{"name": "a", "priority": 10}]),
            "kinds[0].priority",
        ),
        (
            "kinds",
            json!([{"name": "a", "max_attempts": 0}]),
            "kinds[0].max_attempts",
        ),
        (
            "kinds",
            json!([{"name": "a", "timeout_s": 0}]),
            "kinds[0].timeout_s",
        ),
        (
            "kinds",
            json!([{"name": "a", "grace_s": 700_000}]),
            "kinds[0].grace_s",
        ),
        (
            "kinds",
            json!([{"name": "a", "grace_s": -1}]),
            "kinds[0].grace_s",
        ),
        (
            "kinds",
            json!([{"name": "a", "executor": "command"}]),
            "kinds[0].executor",
        ),
        ("queues", json!([]), "queues"),
        ("queues", json!(["a b"]), "queues"),
        ("pid", json!(-1), "pid"),
        ("host", json!("x".repeat(201)), "host"),
        ("tenants", json!([1]), "tenants"),
    ] {
        let mut body = good.clone();
        body[member] = value;
        let reply = world.send_as(&key, "POST", REGISTER, &body);
        let problem = reply.json();
        assert_eq!(
            (reply.status, &problem["field"]),
            (422, &json!(field)),
            "{body} {problem}"
        );
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn a_worker_belongs_to_its_key() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let other = world.key("other", &["worker"], None);
    let calls = [
        ("POST", "claim", json!({"slots": 1})),
        ("POST", "beat", json!({"jobs": []})),
        (
            "POST",
            "finish",
            json!({"results": [{"id": 1, "fence": 1, "outcome": "completed"}]}),
        ),
        ("GET", "events", Value::Null),
        ("DELETE", "", Value::Null),
    ];
    for key in [&other, &world.admin] {
        for (method, verb, body) in &calls {
            let path = player.path(verb);
            let reply = world.send_as(key, method, path.trim_end_matches('/'), body);
            reply.problem(404, "not-found", &json!({}));
        }
    }
    let reader = world.key("reader", &["read", "write"], None);
    for (method, verb, body) in &calls {
        let path = player.path(verb);
        let reply = world.send_as(&reader, method, path.trim_end_matches('/'), body);
        reply.problem(403, "forbidden", &json!({}));
    }
    for word in ["0", "999", "x", "-1"] {
        let path = format!("/belay/v1/worker/{word}/beat");
        let reply = world.send_as(&player.key, "POST", &path, &json!({"jobs": []}));
        reply.problem(404, "not-found", &json!({}));
    }
    player.beat(&[]);
}

#[test]
fn the_workers_of_a_daemon_are_nobodys() {
    let world = World::new();
    world.enqueue(&json!({"kind": "noop"}));
    let (worker, _) = world.claim("noop");
    let path = format!("/belay/v1/worker/{worker}/beat");
    let reply = world.send("POST", &path, &json!({"jobs": []}));
    reply.problem(404, "not-found", &json!({}));
}

#[test]
fn a_worker_that_ends_gives_way() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let id = world.enqueue(&json!({"kind": "mail"}));
    player.claim_one();
    let path = format!("/belay/v1/worker/{}", player.id);
    let reply = world.send_as(&player.key, "DELETE", &path, &Value::Null);
    assert_eq!(reply.status, 204);
    super::support::rescue(&world);
    assert_eq!(super::support::job(&world, id)["state"], "queued");
    for (verb, body) in [
        ("beat", json!({"jobs": []})),
        ("claim", json!({"slots": 1})),
    ] {
        player
            .post(verb, &body)
            .problem(409, "refused", &json!({"outcome": "worker_lost"}));
    }
    let next = Player::new(&world, "mail");
    assert_eq!(next.claim_one().0, id);
}
