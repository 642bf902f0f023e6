//! What holds for every route: methods, slashes, types, limits, trouble with the database.

use std::num::NonZeroU32;
use std::time::Duration;

use belay_api::{Dialect, RateLimit};
use belay_core::JobState;
use belay_testkit::eventually;
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use super::{cancel, job, nothing, problem};
use crate::support::{World, request};

#[test]
fn wrong_methods_and_unknown_routes_are_problems() {
    let world = World::new();
    for (path, allow) in [
        ("/v1/jobs", "GET, HEAD, POST"),
        ("/v1/jobs/1", "GET, HEAD"),
        ("/v1/jobs/1/cancel", "POST, PUT"),
        ("/v1/jobs/1/cancel/", "POST, PUT"),
        ("/v1/jobs/1/statusHistory", "GET, HEAD"),
        ("/v1/jobs/1/schedule", "PUT"),
        ("/v1/jobs/1/start", "PUT"),
        ("/v1/jobs/1/result", "PUT"),
        ("/auth/tokens", "POST"),
    ] {
        for method in ["DELETE", "PATCH"] {
            let reply = request(world.address(), method, path, &[], b"");
            problem(&reply, 405, path);
            assert_eq!(reply.header("allow"), Some(allow), "{path}");
        }
        let reply = request(world.address(), "OPTIONS", path, &[], b"");
        nothing(&reply);
        assert_eq!(reply.header("allow"), Some(allow), "{path}");
    }
    problem(
        &world.ask("GET", "/v1/jobs/1/cancel", &Value::Null),
        405,
        "/v1/jobs/1/cancel",
    );
    for path in [
        "/v1/jobs//",
        "/v1/jobs/1//cancel",
        "/v1/jobs/1/cancel//",
        "/v1/jobs/1/cancel/more",
        "/v1/jobs/1/nothing",
        "/v1/jobs/1/Cancel",
    ] {
        problem(&world.ask("POST", path, &Value::Null), 404, path);
    }
}

#[test]
fn one_slash_is_tolerated_and_head_answers_without_a_body() {
    let world = World::new();
    let id = world.make(JobState::Queued).id;
    for path in [
        "/v1/jobs".to_owned(),
        job(id),
        format!("{}/statusHistory", job(id)),
    ] {
        assert_eq!(
            world.ask("GET", &format!("{path}/"), &Value::Null).status,
            200,
            "{path}"
        );
        let head = world.ask("HEAD", &path, &Value::Null);
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    nothing(&world.ask("PUT", &format!("{}/", cancel(id)), &Value::Null));
}

#[test]
fn clients_that_accept_no_json_are_told_so() {
    let world = World::new();
    let path = cancel(world.make(JobState::Queued).id);
    let ask = |accept: &str| {
        let headers = [("Accept", accept), ("Customer-Id", "1")];
        world.send_with(&world.admin, "POST", &path, &headers, &Value::Null)
    };
    for accept in ["application/xml", "text/html", "*/*;q=0"] {
        problem(&ask(accept), 406, &path);
    }
    nothing(&ask("application/problem+json"));
    nothing(&ask("application/*"));
}

#[test]
fn titles_are_fixed_and_say_what_the_status_says() {
    let world = World::new();
    let id = world.make(JobState::Running).id;
    for (reply, status, path, title) in [
        (
            world.ask("GET", "/v1/jobs/x", &Value::Null),
            400,
            "/v1/jobs/x".to_owned(),
            "Bad Request",
        ),
        (
            world.ask("GET", "/v1/jobs/9", &Value::Null),
            404,
            job(9),
            "Not Found",
        ),
        (
            world.ask("PUT", &cancel(id), &Value::Null),
            422,
            cancel(id),
            "Unprocessable Entity",
        ),
    ] {
        assert_eq!(problem(&reply, status, &path)["title"], title);
    }
}

#[test]
fn a_token_that_asks_too_often_is_told_when_to_come_back() {
    let one = NonZeroU32::MIN;
    let world = World::with(|builder| {
        builder.rate_limit(RateLimit {
            per_second: one,
            burst: one,
        })
    });
    let limited = eventually(Duration::from_secs(30), || {
        let reply = world.ask("GET", "/v1/jobs", &Value::Null);
        (reply.status == 429).then_some(reply)
    });
    problem(&limited, 429, "/v1/jobs");
    let seconds: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!(seconds >= 1);
}

#[test]
fn trouble_with_the_database_says_nothing_of_itself() {
    let world = World::new();
    let id = world.make(JobState::Queued).id;
    let before = world.contents();
    let mut conn = world.test_db.conn();
    conn.batch_execute(&format!(
        "begin; select from belay.job where id = {id} for update"
    ))
    .unwrap();
    let reply = world.ask("POST", &cancel(id), &Value::Null);
    problem(&reply, 503, &cancel(id));
    assert_eq!(reply.header("retry-after"), Some("1"));
    conn.batch_execute("rollback").unwrap();
    assert_eq!(world.contents(), before);
    conn.batch_execute("alter table belay.job_attributes rename to gone")
        .unwrap();
    let body = problem(&world.ask("GET", &job(id), &Value::Null), 500, &job(id));
    assert!(!body.to_string().contains("job_attributes"), "{body}");
}

#[test]
fn below_a_prefix_it_is_the_same_and_it_can_be_switched_off() {
    let world = World::with(|builder| builder.prefix("/admin"));
    let made = world.ask(
        "POST",
        "/admin/v1/jobs",
        &json!({"typeId": 1, "contactId": 1}),
    );
    let place = made.header("location").unwrap().to_owned();
    assert_eq!(place, "/admin/v1/jobs/1");
    assert_eq!(world.ask("GET", &place, &Value::Null).status, 200);
    problem(
        &world.ask("GET", "/admin/v1/jobs/9", &Value::Null),
        404,
        "/admin/v1/jobs/9",
    );
    let off = World::with(|builder| builder.without_dialect(Dialect::Jobs));
    for path in ["/v1/jobs", "/auth/tokens"] {
        let reply = off.ask("POST", path, &Value::Null);
        assert_eq!((reply.status, reply.body.len()), (404, 0), "{path}");
    }
}

#[test]
fn requests_and_cancels_are_counted() {
    let world = World::new();
    let id = world.make(JobState::Queued).id;
    for method in ["POST", "PUT"] {
        nothing(&world.ask(method, &cancel(id), &Value::Null));
    }
    let metrics = world.get("/metrics").text();
    for line in [
        r#"belay_http_requests_total{method="PUT",route="/v1/jobs/{jobId}/cancel",status="204"} 1"#,
        r#"belay_cancels_total{interface="jobs",outcome="cancelled"} 1"#,
        r#"belay_cancels_total{interface="jobs",outcome="already"} 1"#,
    ] {
        assert!(
            metrics.lines().any(|l| l == line),
            "{line} is not in\n{metrics}"
        );
    }
}

#[test]
fn the_document_says_what_is_answered() {
    let world = World::new();
    let document: Value = serde_json::from_str(world.api.openapi()).unwrap();
    let paths = &document["paths"];
    let cancel = &paths["/v1/jobs/{jobId}/cancel"];
    assert_ne!(cancel["post"]["operationId"], cancel["put"]["operationId"]);
    for method in ["post", "put"] {
        let answers = cancel[method]["responses"].as_object().unwrap();
        assert!(answers["204"].get("content").is_none());
        for status in [
            "400", "401", "403", "404", "406", "413", "415", "422", "429", "500", "503",
        ] {
            let schema = &answers[status]["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(*schema, "#/components/schemas/JobsProblem", "{status}");
        }
        let names: Vec<&Value> = cancel[method]["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| &p["name"])
            .collect();
        assert_eq!(names, ["jobId", "Customer-Id"]);
    }
    let page =
        &paths["/v1/jobs"]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(
        page["properties"]["items"]["items"]["$ref"],
        "#/components/schemas/JobsJob"
    );
    // Every name of an operation stands once.
    let mut names = Vec::new();
    for item in paths.as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            names.push(operation["operationId"].as_str().unwrap());
        }
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
