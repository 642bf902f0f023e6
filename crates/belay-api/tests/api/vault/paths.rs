//! Paths, methods and versions.

use serde_json::json;

use super::{BASE, CANCEL, accepted, data, expect, expect_failure, queued, send};
use crate::support::{World, request};

#[test]
fn the_versions_are_listed_for_everybody() {
    let world = World::new();
    let values = json!({"v25.3": "http://test/api/v25.3", "v26.1": "http://test/api/v26.1"});
    let body = json!({"responseStatus": "SUCCESS", "values": values});
    for path in ["/api", "/api/"] {
        for session in [None, Some("nonsense"), Some(world.admin.as_str())] {
            let headers: Vec<_> = session.map(|s| ("Authorization", s)).into_iter().collect();
            let reply = request(world.address(), "GET", path, &headers, b"");
            expect(&reply, 200, &body);
        }
    }
    let behind_a_proxy = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "jobs.example"),
    ];
    let reply = request(world.address(), "GET", "/api", &behind_a_proxy, b"");
    assert_eq!(
        reply.json()["values"]["v26.1"],
        "https://jobs.example/api/v26.1"
    );
}

#[test]
fn both_versions_work() {
    let world = World::new();
    for version in ["v25.3", "v26.1"] {
        let id = queued(&world, 1)[0];
        let path = format!("/api/{version}/services/jobs/actions/cancel");
        let reply = send(
            &world,
            "POST",
            &path,
            &[],
            format!(r#"[{{"job_id":{id}}}]"#),
        );
        assert_eq!(data(&reply), [accepted(id)]);
        let job = send(
            &world,
            "GET",
            &format!("/api/{version}/services/jobs/{id}"),
            &[],
            "",
        );
        assert_eq!(
            job.json()["data"]["links"][0]["href"],
            format!("/api/{version}/services/jobs/{id}")
        );
    }
}

#[test]
fn a_version_that_is_not_served_never_costs_a_client_its_session() {
    let world = World::new();
    let before = world.contents();
    for version in ["v1.0", "v26.2", "v26.1.0", "V26.1", "26.1", "v26", "x"] {
        for rest in [
            "/services/jobs/actions/cancel",
            "/services/jobs/1",
            "/services/jobs/monitors",
            "/auth",
            "/keep-alive",
            "/session",
            "/nothing",
            "/",
            "",
        ] {
            let path = format!("/api/{version}{rest}");
            for method in ["GET", "POST", "DELETE", "PATCH", "OPTIONS"] {
                let reply = request(world.address(), method, &path, &[], b"");
                expect_failure(&reply, 404, "MALFORMED_URL");
            }
        }
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn unknown_paths_are_answered_here() {
    let world = World::new();
    for path in [
        "/api/v26.1",
        "/api/v26.1/",
        "/api/v26.1/nothing",
        "/api/v26.1/services",
        "/api/v26.1/services/jobs",
        "/api/v26.1/services/jobs/actions/nothing",
        "/api/v26.1/services/jobs/actions/cancel//",
        "/api/v26.1//services/jobs/actions/cancel",
        "/api//v26.1/services/jobs/actions/cancel",
        "/api//",
        "/api/nothing",
        "/api/v26.1/services/jobs/1/nothing",
        "/api/v26.1/SERVICES/jobs/monitors",
    ] {
        for method in ["GET", "POST"] {
            let reply = send(&world, method, path, &[], "");
            assert_eq!(reply.status, 404, "{method} {path}");
            expect_failure(&reply, 404, "MALFORMED_URL");
        }
    }
}

#[test]
fn wrong_methods_are_answered_with_the_right_ones() {
    let world = World::new();
    for (path, allow) in [
        ("/api", "GET, HEAD"),
        ("/api/", "GET, HEAD"),
        ("/api/v26.1/auth", "POST"),
        ("/api/v26.1/keep-alive", "POST"),
        ("/api/v26.1/session", "DELETE"),
        (CANCEL, "POST"),
        ("/api/v26.1/services/jobs/monitors", "GET, HEAD"),
        ("/api/v26.1/services/jobs/histories/", "GET, HEAD"),
        ("/api/v26.1/services/jobs/7", "GET, HEAD"),
        ("/api/v26.1/services/jobs/7/tasks", "GET, HEAD"),
        ("/api/v26.1/services/jobs/start_now/7", "POST"),
    ] {
        for method in ["PUT", "PATCH", "BREW"] {
            // Before the session.
            let reply = request(world.address(), method, path, &[], b"");
            expect_failure(&reply, 405, "METHOD_NOT_SUPPORTED");
            assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
        }
        let reply = request(world.address(), "OPTIONS", path, &[], b"");
        assert_eq!(
            (reply.status, reply.header("allow"), reply.body.len()),
            (204, Some(allow), 0),
            "{path}"
        );
    }
}

#[test]
fn head_answers_like_get_without_a_body_and_request_ids_are_kept() {
    let world = World::new();
    let id = queued(&world, 1)[0];
    for path in [
        "/api".to_owned(),
        format!("{BASE}/services/jobs/{id}/"),
        format!("{BASE}/services/jobs/monitors"),
    ] {
        let get = send(&world, "GET", &path, &[], "");
        let head = send(&world, "HEAD", &path, &[("X-Request-Id", "mine")], "");
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert_eq!(head.header("content-length"), get.header("content-length"));
        assert_eq!(head.header("x-request-id"), Some("mine"));
    }
}

#[test]
fn what_is_switched_off_is_not_there() {
    let world = World::with(|builder| builder.without_dialect(belay_api::Dialect::Vault));
    for path in ["/api", CANCEL] {
        let reply = send(&world, "GET", path, &[], "");
        assert_eq!((reply.status, reply.text().as_str()), (404, ""), "{path}");
    }
}

#[test]
fn a_prefix_stands_before_everything() {
    let world = World::with(|builder| builder.prefix("/admin"));
    let reply = request(world.address(), "GET", "/admin/api", &[], b"");
    assert_eq!(
        reply.json()["values"]["v26.1"],
        "http://test/admin/api/v26.1"
    );
    let reply = send(
        &world,
        "GET",
        "/admin/api/v26.1/services/jobs/monitors",
        &[],
        "",
    );
    assert_eq!(
        reply.json()["url"],
        "/admin/api/v26.1/services/jobs/monitors?limit=50&offset=0"
    );
}
