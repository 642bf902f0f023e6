//! Tenants and keys.

use serde_json::{Value, json};

use crate::support::World;

#[test]
fn tenants_are_made_and_listed() {
    let world = World::new();
    let made = world
        .post("/belay/v1/tenants", &json!({"name": "acme"}))
        .expect(
            201,
            &json!({"id": "[number]", "key": "[key]", "name": "acme", "created_at": "[time]"}),
        );
    let mut default = made.clone();
    (
        default["id"],
        default["name"],
        default["key"],
        default["created_at"],
    ) = (1.into(), "default".into(), "[key]".into(), "[time]".into());
    world
        .get("/belay/v1/tenants")
        .expect(200, &json!({"tenants": [default, made]}));
    let before = world.contents();
    world
        .post("/belay/v1/tenants", &json!({"name": "acme"}))
        .problem(
            409,
            "conflict",
            &json!({"detail": "a tenant named \"acme\" exists already"}),
        );
    for name in ["", "a b", "-x", &"x".repeat(64)] {
        world
            .post("/belay/v1/tenants", &json!({"name": name}))
            .problem(422, "invalid", &json!({"field": "name"}));
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn a_key_is_shown_once_works_and_is_revoked_at_once() {
    let world = World::new();
    let tenant = world.tenant("acme");
    let reply = world.post(
        "/belay/v1/keys",
        &json!({"name": "billing", "scopes": ["read", "write", "read"], "tenants": ["acme", tenant], "expires_at": "2099-01-01T00:00:00Z"}),
    );
    let about = |extra: Value| {
        let mut key = json!({
            "id": "[number]", "name": "billing", "scopes": ["read", "write"], "tenants": [tenant], "created_at": "[time]",
            "created_by": "root", "expires_at": "2099-01-01T00:00:00.000Z", "revoked_at": null
        });
        for (name, value) in extra.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    };
    let made = reply.expect(201, &about(json!({"key": "[token]"})));
    let key = made["key"].as_str().unwrap();
    assert!(!world.get("/belay/v1/keys").text().contains(key));

    let job = world.send_as(key, "POST", "/belay/v1/jobs", &json!({"kind": "noop"}));
    assert_eq!((job.status, &job.json()["tenant"]), (201, &json!(tenant)));

    for _ in 0..2 {
        assert_eq!(
            world
                .send("DELETE", "/belay/v1/keys/billing", &Value::Null)
                .status,
            204
        );
        world
            .send_as(key, "GET", "/belay/v1/jobs", &Value::Null)
            .problem(
                401,
                "unauthenticated",
                &json!({"detail": "this API key has been revoked; ask for a new one"}),
            );
    }
    let keys = world.get("/belay/v1/keys").json();
    crate::support::assert_matches(&keys["keys"][1], &about(json!({"revoked_at": "[time]"})));
    world
        .send("DELETE", "/belay/v1/keys/nobody", &Value::Null)
        .problem(
            404,
            "not-found",
            &json!({"detail": "there is no key \"nobody\""}),
        );
}

#[test]
fn keys_that_cannot_be_meant_are_refused() {
    let world = World::new();
    let before = world.contents();
    for (change, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": "a b"}), "name"),
        (json!({"name": null}), "name"),
        (json!({"scopes": []}), "scopes"),
        (json!({"scopes": ["raed"]}), "scopes"),
        (json!({"scopes": "read"}), "scopes"),
        (json!({"scopes": [7]}), "scopes"),
        (json!({"tenants": null}), "tenants"),
        (json!({"tenants": []}), "tenants"),
        (json!({"tenants": "default"}), "tenants"),
        (json!({"tenants": ["nobody"]}), "tenants"),
        (json!({"tenants": [-1]}), "tenants"),
        (json!({"expires_at": "2001-01-01T00:00:00Z"}), "expires_at"),
        (json!({"expires_at": "tomorrow"}), "expires_at"),
        (json!({"expire_at": "2099-01-01T00:00:00Z"}), "expire_at"),
    ] {
        let mut key = json!({"name": "k", "scopes": ["read"], "tenants": "all"});
        for (name, value) in change.as_object().unwrap() {
            key[name] = value.clone();
        }
        let reply = world.post("/belay/v1/keys", &key);
        assert_eq!(reply.status, 422, "{change}: {}", reply.text());
        reply.problem(422, "invalid", &json!({"field": field}));
    }
    world
        .post("/belay/v1/keys", &json!({"name": "k", "scopes": ["read"]}))
        .problem(422, "invalid", &json!({"field": "tenants"}));
    world
        .post(
            "/belay/v1/keys",
            &json!({"name": "root", "scopes": ["read"], "tenants": "all"}),
        )
        .problem(409, "conflict", &json!({}));
    assert_eq!(world.contents(), before);
}

#[test]
fn tenants_are_given_by_number_or_by_name() {
    let world = World::new();
    let second = world.tenant("acme");
    for (name, tenant, number) in [
        ("a", json!(second), second),
        ("b", json!(second.to_string()), second),
        ("c", json!("acme"), second),
        ("d", json!("default"), 1),
    ] {
        let key = json!({"name": name, "scopes": ["read"], "tenants": [tenant]});
        let made = world.post("/belay/v1/keys", &key).json();
        assert_eq!(made["tenants"], json!([number]));
    }
}

#[test]
fn an_unknown_scope_is_answered_with_the_list() {
    let world = World::new();
    let reply = world.post(
        "/belay/v1/keys",
        &json!({"name": "k", "scopes": ["raed"], "tenants": "all"}),
    );
    assert_eq!(
        reply.json()["detail"],
        "unknown scope \"raed\"; the scopes are read, write, admin, worker, metrics, prospecting:read, prospecting:write, jobs:read, \
         jobs:write, bulk:read, bulk:write, vault:read, vault:write, ingest"
    );
}

#[test]
fn a_key_reaches_no_further_than_the_key_that_makes_it() {
    let world = World::new();
    let (acme, other) = (world.tenant("acme"), world.tenant("other"));
    let local = world.key("local", &["admin"], Some(&[acme]));
    world.key("everywhere", &["read"], None);
    world.key("elsewhere", &["read"], Some(&[other]));
    let before = world.contents();
    let make = |tenants: Value| {
        world.send_as(
            &local,
            "POST",
            "/belay/v1/keys",
            &json!({"name": "k", "scopes": ["read"], "tenants": tenants}),
        )
    };
    make(json!("all")).problem(403, "forbidden", &json!({"field": "tenants"}));
    // A tenant it may not touch is like none at all.
    for tenants in [json!(["other"]), json!(["acme", other]), json!(["nobody"])] {
        make(tenants).problem(422, "invalid", &json!({"field": "tenants"}));
    }
    for name in ["root", "everywhere", "elsewhere", "nobody"] {
        world
            .send_as(
                &local,
                "DELETE",
                &format!("/belay/v1/keys/{name}"),
                &Value::Null,
            )
            .problem(
                404,
                "not-found",
                &json!({"detail": format!("there is no key {name:?}")}),
            );
    }
    world
        .send_as(
            &local,
            "POST",
            "/belay/v1/tenants",
            &json!({"name": "mine"}),
        )
        .problem(403, "forbidden", &json!({}));
    assert_eq!(world.contents(), before);

    let names = |path: &str, list: &str| -> Vec<String> {
        let all = world.send_as(&local, "GET", path, &Value::Null).json();
        all[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| x["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("/belay/v1/keys", "keys"), ["local"]);
    assert_eq!(names("/belay/v1/tenants", "tenants"), ["acme"]);
    assert_eq!(make(json!(["acme"])).status, 201);
    assert_eq!(
        world
            .send_as(&local, "DELETE", "/belay/v1/keys/k", &Value::Null)
            .status,
        204
    );
}

#[test]
fn a_key_lives_no_longer_than_the_key_that_makes_it() {
    let world = World::new();
    let make = |key: &str, name: &str, scope: &str, end: Value| {
        let body = json!({"name": name, "scopes": [scope], "tenants": "all", "expires_at": end});
        world.send_as(key, "POST", "/belay/v1/keys", &body)
    };
    let short = make(
        &world.admin,
        "short",
        "admin",
        json!("2090-01-01T00:00:00Z"),
    )
    .json();
    let short = short["key"].as_str().unwrap();
    for end in [json!(null), json!("2090-01-01T00:00:01Z")] {
        make(short, "k", "read", end).problem(403, "forbidden", &json!({"field": "expires_at"}));
    }
    assert_eq!(
        make(short, "k", "read", json!("2090-01-01T00:00:00Z")).status,
        201
    );
}
