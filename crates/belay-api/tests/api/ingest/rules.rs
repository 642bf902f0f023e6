//! What holds for every path of the dialect.

use serde_json::{Value, json};

use super::{CSV, JOBS, TYPE, fault};
use crate::support::{World, exchange, request};

#[test]
fn faults_are_in_the_shape_of_the_dialect() {
    let world = World::new();
    let id = world.ingest();
    let paths = [
        ("GET", JOBS.to_owned()),
        ("POST", JOBS.to_owned()),
        ("PATCH", format!("{JOBS}/{id}")),
        ("PUT", format!("{JOBS}/{id}/batches")),
    ];
    for (method, path) in &paths {
        let nobody = request(world.address(), method, path, &[], b"");
        fault(&nobody, 401, "UNAUTHORIZED");
        assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
        let wrong = world.send_as("belay_wrong", method, path, &Value::Null);
        fault(&wrong, 401, "UNAUTHORIZED");
        assert_eq!(wrong.header("www-authenticate"), Some("Bearer"));
    }
    let reader = world.key("reader", &["read", "write", "jobs:write"], None);
    for (method, path) in &paths {
        let reply = world.send_as(&reader, method, path, &Value::Null);
        fault(&reply, 403, "FORBIDDEN");
    }
    let lost = world.send_with(
        &world.admin,
        "GET",
        "/api/v1/ingest/no/such",
        &[("X-Request-Id", "me.7")],
        &Value::Null,
    );
    let body = fault(&lost, 404, "NOT_FOUND");
    assert_eq!(body["path"], "/api/v1/ingest/no/such");
    assert_eq!(body["requestId"], "me.7");
    for path in ["/api/v1/ingest", "/api/v1/ingest/", "/api/v1/ingest/jobs//"] {
        fault(&world.get(path), 404, "NOT_FOUND");
    }
    let wrong = world.send("PUT", JOBS, &json!({}));
    fault(&wrong, 405, "METHOD_NOT_ALLOWED");
    assert_eq!(wrong.header("allow"), Some("POST, GET, HEAD"));
    let wrong = world.send("POST", &format!("{JOBS}/{id}"), &json!({}));
    assert_eq!(wrong.header("allow"), Some("GET, HEAD, PATCH, DELETE"));
    let options = request(world.address(), "OPTIONS", JOBS, &[], b"");
    assert_eq!(
        (options.status, options.header("allow")),
        (204, Some("POST, GET, HEAD"))
    );
    let picky = world.send_with(
        &world.admin,
        "GET",
        JOBS,
        &[("Accept", "application/xml")],
        &Value::Null,
    );
    fault(&picky, 406, "NOT_ACCEPTABLE");
    assert_eq!(picky.header("content-type"), Some(TYPE));
}

#[test]
fn whatever_names_no_job_of_the_tenant_is_unknown() {
    let world = World::new();
    let other = world.tenant("other");
    let id = world.ingest();
    let number = world.number("select max(id) as n from belay.job");
    let key = world.get(&format!("/belay/v1/jobs/{id}")).json()["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let digit = if id.starts_with('0') { "1" } else { "0" };
    let earlier = format!("{digit}{}", &id[1..]);
    let never = "019b5287-2e80-8000-8000-00000000ffff".to_owned();
    let foreign = world.key("foreign", &["ingest"], Some(&[other]));
    let wish = json!({"state": "Aborted"});
    let asks = |key: &str, id: &str| {
        [
            world.send_as(key, "GET", &format!("{JOBS}/{id}"), &Value::Null),
            world.send_as(key, "DELETE", &format!("{JOBS}/{id}"), &Value::Null),
            world.send_as(key, "PATCH", &format!("{JOBS}/{id}"), &wish),
            // That there is no such job goes before what is wrong with the body.
            world.send_as(key, "PATCH", &format!("{JOBS}/{id}"), &json!({})),
            world.send_as(key, "PUT", &format!("{JOBS}/{id}/batches"), &json!({})),
        ]
    };
    for id in [
        number.to_string(),
        key,
        earlier,
        never,
        "x".into(),
        "%00".into(),
        id.replace('-', ""),
    ] {
        for reply in asks(&world.admin, &id) {
            fault(&reply, 404, "NOT_FOUND");
        }
    }
    for reply in asks(&foreign, &id) {
        fault(&reply, 404, "NOT_FOUND");
    }
    let theirs = world.send_as(
        &foreign,
        "GET",
        &format!("{JOBS}/{id}?tenant=default"),
        &Value::Null,
    );
    fault(&theirs, 403, "FORBIDDEN");
    assert_eq!(
        world.send_as(&foreign, "GET", JOBS, &Value::Null).text(),
        "{\"data\":[]}"
    );
    assert_eq!(world.word(&id), "Open");
}

#[test]
fn a_limited_key_is_told_to_wait() {
    let world = World::with(|builder| {
        builder.rate_limit(belay_api::RateLimit {
            per_second: 1.try_into().unwrap(),
            burst: 2.try_into().unwrap(),
        })
    });
    let reply = (0..10)
        .map(|_| world.get(JOBS))
        .find(|reply| reply.status == 429)
        .unwrap();
    fault(&reply, 429, "TOO_MANY_REQUESTS");
    assert!(reply.header("retry-after").unwrap().parse::<u64>().is_ok());
}

#[test]
fn below_a_prefix_the_content_url_still_leads_to_the_files() {
    let world = World::with(|builder| builder.prefix("/admin"));
    let body = json!({"object": "o", "sourceName": "", "operation": "upsert"});
    let made = world.post("/admin/api/v1/ingest/jobs", &body);
    assert_eq!(made.status, 201, "{}", made.text());
    let url = made.json()["contentUrl"].as_str().unwrap().to_owned();
    assert!(url.starts_with("admin/api/v1/ingest/jobs/"), "{url}");
    let bearer = format!("Bearer {}", world.admin);
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "text/csv"),
    ];
    let kept = request(world.address(), "PUT", &format!("/{url}"), &headers, CSV);
    assert_eq!(kept.status, 202);
}

#[test]
fn it_can_be_switched_off() {
    let world = World::with(|builder| builder.without_dialect(belay_api::Dialect::Ingest));
    let bytes = format!(
        "GET {JOBS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
        world.admin
    );
    let reply = exchange(world.address(), bytes.as_bytes());
    // Whatever is left below `/api` is the business of another interface, in words of its own.
    assert_eq!(reply.status, 404);
    assert!(reply.json()["error"].is_null());
}
