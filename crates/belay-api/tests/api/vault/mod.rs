//! The dialect `vault`.

mod bodies;
mod cancel;
mod failures;
mod forms;
mod jobs;
mod lists;
mod paths;
mod races;
mod sessions;

use serde_json::{Value, json};

use crate::support::{Reply, World, assert_matches, request};

const BASE: &str = "/api/v26.1";
const CANCEL: &str = "/api/v26.1/services/jobs/actions/cancel";
const JSON: &str = "application/json;charset=UTF-8";
const XML: &str = "application/xml;charset=UTF-8";

/// Sends a request with the administrator's key as the session id, which stands alone in its header.
fn send(
    world: &World,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Reply {
    send_as(world, &world.admin, method, path, headers, body)
}

fn send_as(
    world: &World,
    session: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Reply {
    let mut all = vec![("Authorization", session)];
    all.extend_from_slice(headers);
    request(world.address(), method, path, &all, body.as_ref())
}

fn get(world: &World, path: &str) -> Reply {
    send(world, "GET", &format!("{BASE}{path}"), &[], "")
}

/// Cancels with a JSON body.
#[expect(
    clippy::needless_pass_by_value,
    reason = "tests write the body where they send it"
)]
fn cancel(world: &World, body: impl ToString) -> Reply {
    send(world, "POST", CANCEL, &[], body.to_string())
}

/// Cancels jobs and answers what was answered for each.
#[track_caller]
fn cancel_ids(world: &World, ids: &[i64]) -> Vec<Value> {
    let body: Vec<Value> = ids.iter().map(|id| json!({"job_id": id})).collect();
    data(&cancel(world, json!(body)))
}

/// The answers for the entries of a request that went well.
#[track_caller]
fn data(reply: &Reply) -> Vec<Value> {
    let body = expect(
        reply,
        200,
        &json!({"responseStatus": "SUCCESS", "data": reply.json()["data"]}),
    );
    body["data"].as_array().unwrap().clone()
}

/// What is answered for an entry that was accepted.
fn accepted(id: i64) -> Value {
    json!({"responseStatus": "SUCCESS", "data": {"id": id}})
}

/// What is answered for an entry that was refused.
fn refused(kind: &str, message: impl Into<String>) -> Value {
    let message: String = message.into();
    json!({"responseStatus": "FAILURE", "errors": {"type": kind, "message": message}})
}

fn wrong_state(id: i64) -> Value {
    let message = format!("Job [{id}] is not found in QUEUED or QUEUEING state");
    refused("INVALID_DATA", message)
}

fn unknown(id: i64) -> Value {
    refused("INVALID_DATA", format!("Job [{id}] is not found"))
}

#[track_caller]
fn expect(reply: &Reply, status: u16, body: &Value) -> Value {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some(JSON));
    assert_matches(&reply.json(), body);
    reply.json()
}

/// Asserts that the whole request failed, and answers the message.
#[track_caller]
fn expect_failure(reply: &Reply, status: u16, kind: &str) -> String {
    let outcome = if kind == "UNEXPECTED_ERROR" {
        "EXCEPTION"
    } else {
        "FAILURE"
    };
    let body = json!({"responseStatus": outcome, "errors": [{"type": kind, "message": "[text]"}]});
    expect(reply, status, &body);
    assert!(reply.header("www-authenticate").is_none());
    reply.json()["errors"][0]["message"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// What the dialect says of a job.
#[track_caller]
fn status(world: &World, id: i64) -> String {
    let reply = get(world, &format!("/services/jobs/{id}"));
    reply.json()["data"]["status"].as_str().unwrap().to_owned()
}

/// Makes so many queued jobs, in ascending order of their numbers.
fn queued(world: &World, count: usize) -> Vec<i64> {
    let jobs = vec![json!({"kind": "noop"}); count];
    let reply = world.post("/belay/v1/jobs/batch", &json!({"jobs": jobs}));
    assert_eq!(reply.status, 201, "{}", reply.text());
    let mut ids: Vec<i64> = reply.json()["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["id"].as_i64().unwrap())
        .collect();
    ids.sort_unstable();
    ids
}
