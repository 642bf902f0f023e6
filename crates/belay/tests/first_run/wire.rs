//! `--json` has the shapes of the HTTP API.

use belay_testkit::TestDb;
use serde_json::{Value, json};

use crate::support::Site;

#[test]
fn commands_answer_what_the_api_answers() {
    let test = TestDb::new();
    let site = Site::on(test.url());
    let daemon = site.start();
    let made = site.json(
        &[
            "enqueue",
            "sleep",
            "--payload",
            r#"{"seconds":600,"x":1.50}"#,
        ],
        0,
    );
    let id = made["id"].as_i64().unwrap();
    let number = id.to_string();
    site.await_state(id, "running");
    site.run(&["cancel", "--wait", "--reason", "test", &number], 5);

    let native = |path: &str| daemon.get(&format!("/belay/v1/{path}"));
    for (path, args) in [
        (format!("jobs/{id}"), vec!["job", &number]),
        (
            format!("jobs/{id}/timeline"),
            vec!["job", "timeline", &number],
        ),
        (format!("jobs/{id}/output"), vec!["job", "output", &number]),
        ("jobs".to_owned(), vec!["jobs"]),
        ("tenants".to_owned(), vec!["tenant", "list"]),
        ("keys".to_owned(), vec!["key", "list"]),
    ] {
        assert_eq!(site.json(&args, 0), native(&path), "{args:?}");
    }

    // Not the values, which differ from one to the next, but the names and where there are values at all.
    let post = |path: &str, body: Value| -> Value {
        let path = format!("/belay/v1/{path}");
        let (status, answer) = daemon.http("POST", &path, &body.to_string());
        assert!((200..300).contains(&status), "{path}: {answer}");
        serde_json::from_str(&answer).unwrap()
    };
    let later = || {
        let job = site.json(&["enqueue", "noop", "--delay", "1h"], 0);
        job["id"].to_string()
    };
    for (mine, theirs) in [
        (
            site.json(&["enqueue", "noop", "--delay", "1h"], 0),
            post(
                "jobs",
                json!({"kind": "noop", "run_at": "2999-01-01T00:00:00Z"}),
            ),
        ),
        (
            site.json(&["cancel", &number, "999999"], 3),
            post("jobs/cancel", json!({"ids": [id, 999_999]})),
        ),
        (
            site.json(&["job", "start", &later()], 0),
            post(&format!("jobs/{}/start", later()), json!({})),
        ),
        (
            site.json(&["job", "retry", &number], 0),
            post(&format!("jobs/{id}/retry"), json!({})),
        ),
        (
            site.json(&["tenant", "create", "a"], 0),
            post("tenants", json!({"name": "b"})),
        ),
        (
            site.json(&["key", "create", "--scope", "read", "--all-tenants"], 0),
            post(
                "keys",
                json!({"name": "k", "scopes": ["read"], "tenants": "all"}),
            ),
        ),
    ] {
        assert_eq!(shape(&mine), shape(&theirs), "{mine:#}\n{theirs:#}");
    }
    for id in site.json(&["jobs", "--state", "queued,running"], 0)["jobs"]
        .as_array()
        .unwrap()
    {
        site.run(&["cancel", &id["id"].to_string()], 0);
    }
    daemon.stop();
}

/// A value with every word and number replaced by its type.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), shape(value)))
            .collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "bool".into(),
        Value::Null => Value::Null,
    }
}
