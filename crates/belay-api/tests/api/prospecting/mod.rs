//! The dialect `prospecting`, as its clients meet it.

mod access;
mod cancel;
mod create;
mod read;
mod rules;

use belay_core::id::JobRef;
use belay_core::query;
use serde_json::{Value, json};

use crate::support::{Reply, World, assert_matches};

/// The id of a tenant in this dialect.
fn group(world: &World, tenant: i32) -> String {
    let id = JobRef::number(i64::from(tenant));
    world
        .db
        .read(|c| query::tenant_by_id(c, &id))
        .unwrap()
        .key()
}

/// Where the jobs of the tenant `default` are.
fn jobs(world: &World) -> String {
    format!("/v1/accounts/{}/prospecting", group(world, 1))
}

/// Where a job of the tenant `default` is.
fn job(world: &World, id: i64) -> String {
    format!("{}/{}", jobs(world), world.seen(id).key())
}

fn cancel(world: &World, id: i64) -> String {
    format!("{}/cancel", job(world, id))
}

/// An id of the right form that no job has.
const NOBODY: &str = "6b065cb00000000000001092";

#[track_caller]
fn enveloped(reply: &Reply, status: u16) -> Value {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let body = reply.json();
    let mut names: Vec<&str> = body
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["data", "error", "success", "traceId"]);
    assert_eq!(body["traceId"].as_str(), reply.header("x-request-id"));
    assert_ne!(body["traceId"], "");
    body
}

/// Asserts a success and answers its data.
#[track_caller]
fn success(reply: &Reply, status: u16, data: &Value) -> Value {
    let body = enveloped(reply, status);
    assert_eq!(body["success"], true);
    assert_eq!(body["error"], Value::Null);
    assert_matches(&body["data"], data);
    body["data"].clone()
}

/// Asserts a failure and answers its error.
#[track_caller]
fn failure(reply: &Reply, status: u16, code: &str) -> Value {
    let body = enveloped(reply, status);
    assert_eq!(body["success"], false);
    assert_eq!(body["data"], Value::Null);
    let error = body["error"].clone();
    assert!(error["details"].is_string(), "{error}");
    let mut shape = json!({"code": code, "message": "[text]"});
    shape["details"] = error["details"].clone();
    assert_matches(&error, &shape);
    error
}
