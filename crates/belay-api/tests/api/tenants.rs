//! Tenants see nothing of each other.

use serde_json::{Value, json};

use crate::support::{Reply, World};

/// The whole answer, without what differs between any two.
fn bare(reply: &Reply) -> (u16, Vec<(String, String)>, Value) {
    let skipped = ["x-request-id", "date", "content-length"];
    let mut headers = reply.headers.clone();
    headers.retain(|(name, _)| !skipped.contains(&name.as_str()));
    headers.sort();
    let mut body = if reply.body.is_empty() {
        Value::Null
    } else {
        reply.json()
    };
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
    }
    (reply.status, headers, body)
}

#[test]
fn a_job_of_another_tenant_is_exactly_like_none() {
    let world = World::new();
    let (mine, theirs) = (world.tenant("mine"), world.tenant("theirs"));
    let key = world.key("mine", &["read", "write", "admin"], Some(&[mine]));
    let their_key = world.key("theirs", &["write"], Some(&[theirs]));
    let foreign = world
        .send_as(
            &their_key,
            "POST",
            "/belay/v1/jobs",
            &json!({"kind": "noop"}),
        )
        .json();
    let foreign_id = foreign["id"].as_i64().unwrap();
    let unknown_id = 900_000_000_000 + foreign_id;
    let spelled = |id: i64, spelling: &str| match spelling {
        "number" => id.to_string(),
        "key" => format!("{}{id:016x}", &foreign["key"].as_str().unwrap()[..8]),
        _ => {
            let uid = foreign["uid"].as_str().unwrap();
            let low = format!("{:016x}", (id as u64) | 1 << 63);
            format!("{}-8000-{}-{}", &uid[..13], &low[..4], &low[4..])
        }
    };
    assert_eq!(spelled(foreign_id, "uid"), foreign["uid"].as_str().unwrap());
    assert_eq!(spelled(foreign_id, "key"), foreign["key"].as_str().unwrap());

    let before = world.contents();
    for (method, tail, body) in [
        ("GET", "", Value::Null),
        ("HEAD", "", Value::Null),
        ("GET", "/timeline", Value::Null),
        ("GET", "/output", Value::Null),
        ("POST", "/cancel", json!({"reason": "x"})),
        ("POST", "/cancel", json!({"force": true})),
        ("POST", "/cancel", json!({"bad": true})),
        ("POST", "/retry", Value::Null),
        ("POST", "/suspend", Value::Null),
        ("POST", "/resume", Value::Null),
        ("POST", "/start", json!([])),
        ("DELETE", "/data", Value::Null),
    ] {
        for spelling in ["number", "key", "uid"] {
            let ask = |id: i64| {
                let path = format!("/belay/v1/jobs/{}{tail}", spelled(id, spelling));
                bare(&world.send_as(&key, method, &path, &body))
            };
            let (foreign, unknown) = (ask(foreign_id), ask(unknown_id));
            assert_eq!(foreign.0, 404, "{method} {tail} {spelling}");
            let same = |id: i64, (status, headers, body): (u16, Vec<(String, String)>, Value)| {
                let text = body.to_string();
                (
                    status,
                    headers,
                    text.replace(&spelled(id, spelling), "ID")
                        .replace(&id.to_string(), "ID"),
                )
            };
            assert_eq!(
                same(foreign_id, foreign),
                same(unknown_id, unknown),
                "{method} {tail} {spelling}"
            );
        }
    }
    let many = |id: i64| {
        let reply = world.send_as(&key, "POST", "/belay/v1/jobs/cancel", &json!({"ids": [id]}));
        reply.text().replace(&id.to_string(), "ID")
    };
    assert_eq!(many(foreign_id), many(unknown_id));
    assert_eq!(
        world
            .send_as(&key, "GET", "/belay/v1/jobs", &Value::Null)
            .json()["jobs"],
        json!([])
    );
    assert_eq!(world.contents(), before);
}

#[test]
fn a_key_for_one_tenant_acts_on_it_and_no_other() {
    let world = World::new();
    let (mine, _) = (world.tenant("mine"), world.tenant("theirs"));
    let key = world.key("mine", &["read"], Some(&[mine]));
    let ask = |tenant: &str| {
        world.send_with(
            &key,
            "GET",
            "/belay/v1/jobs",
            &[("Belay-Tenant", tenant)],
            &Value::Null,
        )
    };
    assert_eq!(ask("mine").status, 200);
    assert_eq!(ask(&mine.to_string()).status, 200);
    let long = "x".repeat(500);
    for other in ["theirs", "default", "1", "nobody", "999", &long] {
        ask(other).problem(
            403,
            "forbidden",
            &json!({"detail": format!("this API key may not touch the tenant {other:?}")}),
        );
    }
    ask("").problem(400, "malformed", &json!({"field": "Belay-Tenant"}));
    // Whether or not the job exists: the tenant is judged first.
    let path = "/belay/v1/jobs/1?tenant=theirs";
    assert_eq!(world.send_as(&key, "GET", path, &Value::Null).status, 403);
}

#[test]
fn a_key_for_several_tenants_says_which() {
    let world = World::new();
    let (a, b) = (world.tenant("a"), world.tenant("b"));
    let two = world.key("two", &["write"], Some(&[a, b]));
    let make = |key: &str, headers: &[(&str, &str)], query: &str| {
        let path = format!("/belay/v1/jobs{query}");
        world.send_with(key, "POST", &path, headers, &json!({"kind": "noop"}))
    };
    make(&two, &[], "").problem(400, "malformed", &json!({"field": "Belay-Tenant"}));
    let key_of = |id: i32| {
        let all = world.get("/belay/v1/tenants").json();
        let all = all["tenants"].as_array().unwrap().clone();
        let found = all.into_iter().find(|t| t["id"] == id).unwrap();
        found["key"].as_str().unwrap().to_owned()
    };
    for word in ["b", &b.to_string(), &key_of(b)] {
        assert_eq!(
            make(&two, &[("Belay-Tenant", word)], "").json()["tenant"],
            b,
            "{word}"
        );
        assert_eq!(
            make(&two, &[], &format!("?tenant={word}")).json()["tenant"],
            b,
            "{word}"
        );
    }
    make(&two, &[("Belay-Tenant", "a")], "?tenant=b").problem(
        400,
        "malformed",
        &json!({"field": "Belay-Tenant"}),
    );
    assert_eq!(
        make(&two, &[("Belay-Tenant", "a")], "?tenant=a").json()["tenant"],
        a
    );

    // With `default` among them, or all of them, it need not.
    let three = world.key("three", &["write"], Some(&[a, b, 1]));
    assert_eq!(make(&three, &[], "").json()["tenant"], 1);
    assert_eq!(make(&world.admin, &[], "").json()["tenant"], 1);
    assert_eq!(make(&world.admin, &[], "?tenant=a").json()["tenant"], a);
    make(&world.admin, &[], "?tenant=nobody").problem(
        404,
        "not-found",
        &json!({"detail": "there is no tenant \"nobody\""}),
    );
    let none = world.key("none", &["write"], Some(&[]));
    make(&none, &[], "").problem(403, "forbidden", &json!({}));
}

#[test]
fn what_all_share_is_shown_to_keys_for_all_only() {
    let world = World::new();
    let one = world.key("one", &["read"], Some(&[1]));
    let ask = |path: &str| world.send_as(&one, "GET", path, &Value::Null).status;
    // While there is one tenant, a key for it is a key for all.
    for path in ["/belay/v1/queues", "/belay/v1/workers", "/belay/v1/kinds"] {
        assert_eq!(ask(path), 200, "{path}");
    }
    world.tenant("second");
    for (path, status) in [
        ("/belay/v1/queues", 403),
        ("/belay/v1/workers", 403),
        ("/belay/v1/kinds", 200),
    ] {
        assert_eq!(ask(path), status, "{path}");
        assert_eq!(world.get(path).status, 200, "{path}");
    }
}
