//! The dialect `jobs`, as its clients meet it.

mod access;
mod cancel;
mod create;
mod external;
mod history;
mod read;
mod rules;
mod schedule;
mod tokens;

use serde_json::{Value, json};

use crate::support::{Reply, World, assert_matches};

impl World {
    /// Sends a request of customer 1.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.ask_of(&self.admin, "1", method, path, body)
    }

    /// Sends a request with another key, for another customer.
    fn ask_of(&self, key: &str, customer: &str, method: &str, path: &str, body: &Value) -> Reply {
        self.send_with(key, method, path, &[("Customer-Id", customer)], body)
    }

    /// A job as this dialect shows it.
    #[track_caller]
    fn shown(&self, id: i64) -> Value {
        let reply = self.ask("GET", &job(id), &Value::Null);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }
}

fn job(id: i64) -> String {
    format!("/v1/jobs/{id}")
}

fn cancel(id: i64) -> String {
    format!("/v1/jobs/{id}/cancel")
}

/// Asserts that this is a 204, which has neither a body nor a type.
#[track_caller]
fn nothing(reply: &Reply) {
    assert_eq!(reply.status, 204, "{}", reply.text());
    assert_eq!(reply.body, b"");
    assert_eq!(reply.header("content-type"), None);
    assert!(reply.header("x-request-id").is_some());
}

/// Asserts that this is a problem document, and answers it.
#[track_caller]
fn problem(reply: &Reply, status: u16, path: &str) -> Value {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(
        reply.header("content-type"),
        Some("application/problem+json")
    );
    let body = reply.json();
    let mut shape = json!({
        "type": "about:blank", "title": "[text]", "status": status, "detail": "[text]", "instance": path
    });
    if status == 422 {
        shape["errors"] = body["errors"].clone();
        for (name, words) in body["errors"].as_object().unwrap() {
            let words = words.as_array().unwrap();
            assert!(
                !words.is_empty() && words.iter().all(Value::is_string),
                "{name}: {words:?}"
            );
        }
    }
    assert_matches(&body, &shape);
    body
}

/// Asserts a 422 that names exactly these members.
#[track_caller]
fn unprocessable(reply: &Reply, path: &str, names: &[&str]) -> Value {
    let body = problem(reply, 422, path);
    let mut found: Vec<&str> = body["errors"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    found.sort_unstable();
    assert_eq!(found, names, "{body}");
    body
}
