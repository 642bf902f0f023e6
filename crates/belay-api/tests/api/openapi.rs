//! The document and the page that shows it.

use serde_json::Value;

use crate::support::{World, request};

#[test]
fn the_routes_are_these() {
    let world = World::new();
    let reply = world.get("/openapi.json");
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("application/json"))
    );
    let document = reply.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut routes = Vec::new();
    // Those of the dialects stand in the tests of each.
    let native = |path: &str| {
        path.starts_with("/belay/") || (path.matches('/').count() == 1 && path != "/api")
    };
    let paths = document["paths"].as_object().unwrap();
    for (path, item) in paths.iter().filter(|(path, _)| native(path)) {
        for method in item.as_object().unwrap().keys() {
            routes.push(format!("{} {path}", method.to_uppercase()));
        }
    }
    routes.sort();
    assert_eq!(
        routes,
        [
            "DELETE /belay/v1/jobs/{id}/data",
            "DELETE /belay/v1/keys/{name}",
            "DELETE /belay/v1/worker/{worker}",
            "GET /belay/v1/jobs",
            "GET /belay/v1/jobs/{id}",
            "GET /belay/v1/jobs/{id}/output",
            "GET /belay/v1/jobs/{id}/timeline",
            "GET /belay/v1/keys",
            "GET /belay/v1/kinds",
            "GET /belay/v1/queues",
            "GET /belay/v1/tenants",
            "GET /belay/v1/worker/{worker}/events",
            "GET /belay/v1/workers",
            "GET /healthz",
            "GET /metrics",
            "GET /openapi.json",
            "GET /readyz",
            "POST /belay/v1/jobs",
            "POST /belay/v1/jobs/batch",
            "POST /belay/v1/jobs/cancel",
            "POST /belay/v1/jobs/{id}/cancel",
            "POST /belay/v1/jobs/{id}/resume",
            "POST /belay/v1/jobs/{id}/retry",
            "POST /belay/v1/jobs/{id}/start",
            "POST /belay/v1/jobs/{id}/suspend",
            "POST /belay/v1/keys",
            "POST /belay/v1/tenants",
            "POST /belay/v1/worker/jobs/{id}/beat",
            "POST /belay/v1/worker/jobs/{id}/finish",
            "POST /belay/v1/worker/register",
            "POST /belay/v1/worker/{worker}/beat",
            "POST /belay/v1/worker/{worker}/claim",
            "POST /belay/v1/worker/{worker}/finish",
            "POST /belay/v1/workers/{worker}/drain",
        ]
    );
}

/// All references in a document, and whether each leads somewhere.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(target) if name == "$ref" => found.push(target.clone()),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn the_document_is_whole() {
    let world = World::new();
    let document: Value = serde_json::from_str(world.api.openapi()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let target = document.pointer(reference.strip_prefix('#').unwrap());
        assert!(target.is_some(), "{reference} leads nowhere");
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{name} has no summary");
            assert!(operation["operationId"].is_string(), "{name}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(
                responses.keys().any(|status| status.starts_with('2')),
                "{name} never succeeds"
            );
            if !path.starts_with("/belay/") {
                continue;
            }
            assert_eq!(
                operation["security"][0]["api_key"],
                serde_json::json!([]),
                "{name}"
            );
            let mut statuses = vec!["400", "401", "403", "406", "500", "503"];
            if path.contains("{id}") {
                statuses.push("404");
            }
            if operation.get("requestBody").is_some() {
                statuses.extend(["413", "415", "422"]);
            }
            for status in statuses {
                let schema =
                    &responses[status]["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{name} {status}");
            }
            // Every part of the path is explained.
            for part in path
                .split('/')
                .filter_map(|p| p.strip_prefix('{')?.strip_suffix('}'))
            {
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(
                    parameters
                        .iter()
                        .any(|p| p["name"] == part && p["in"] == "path" && p["required"] == true),
                    "{name} {part}"
                );
            }
        }
    }
    // What is asked for and what is answered comes with an example.
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in [
        "Job",
        "JobRequest",
        "BatchRequest",
        "CancelRequest",
        "CancelManyRequest",
        "CancelAnswer",
        "KeyRequest",
        "TenantRequest",
        "Problem",
        "WorkerRequest",
        "ClaimRequest",
        "BeatRequest",
        "FinishRequest",
        "ClaimedJob",
        "BeatAnswer",
        "FinishAnswer",
    ] {
        let schema = &schemas[name];
        assert!(
            schema.get("example").is_some() || schema.get("examples").is_some(),
            "{name} has no example"
        );
    }
}

#[test]
fn the_page_is_served_whole_from_here() {
    let world = World::new();
    let get = |path: &str| request(world.address(), "GET", path, &[], b"");
    let enter = get("/docs");
    assert_eq!(
        (enter.status, enter.header("location")),
        (308, Some("/docs/"))
    );
    let page = get("/docs/");
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html"))
    );
    let text = page.text();
    let mut files = 0;
    for part in text
        .split(['"', '\''])
        .filter(|p| p.ends_with(".js") || p.ends_with(".css"))
    {
        let file = get(&format!("/docs/{}", part.trim_start_matches("./")));
        assert_eq!(file.status, 200, "{part}");
        files += 1;
    }
    assert!(files >= 3, "{text}");
    let setup = get("/docs/swagger-initializer.js").text();
    assert!(setup.contains("\"../openapi.json\""), "{setup}");
    let lost = get("/docs/nothing.js");
    lost.problem(404, "not-found", &serde_json::json!({}));
}

#[test]
fn pages_can_be_left_out() {
    use belay_api::Page;
    let world = World::with(|builder| {
        [
            Page::Healthz,
            Page::Readyz,
            Page::Metrics,
            Page::OpenApi,
            Page::Docs,
        ]
        .into_iter()
        .fold(builder, belay_api::AdminApiBuilder::without)
    });
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/docs/",
    ] {
        let reply = request(world.address(), "GET", path, &[], b"");
        assert_eq!((reply.status, reply.body.len()), (404, 0), "{path}");
    }
    assert_eq!(world.get("/belay/v1/jobs").status, 200);
}
