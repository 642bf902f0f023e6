//! Logging in, staying, leaving.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::json;

use super::{BASE, CANCEL, accepted, data, expect, expect_failure, queued, send_as};
use crate::support::{Reply, World, request};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn log_in(world: &World, headers: &[(&str, &str)], form: &str) -> Reply {
    let mut all = vec![FORM];
    all.extend_from_slice(headers);
    let path = format!("{BASE}/auth");
    request(world.address(), "POST", &path, &all, form.as_bytes())
}

/// A session of the administrator's key.
fn session(world: &World) -> String {
    let reply = log_in(
        world,
        &[],
        &format!("username=root&password={}", world.admin),
    );
    reply.json()["sessionId"].as_str().unwrap().to_owned()
}

fn monitors(world: &World, session: &str) -> Reply {
    let path = format!("{BASE}/services/jobs/monitors");
    send_as(world, session, "GET", &path, &[], "")
}

fn works(world: &World, session: &str) -> bool {
    let reply = monitors(world, session);
    let fine = reply.json()["responseStatus"] == "SUCCESS";
    if !fine {
        expect_failure(&reply, 200, "INVALID_SESSION_ID");
    }
    fine
}

/// Moves a moment of all sessions.
fn set(world: &World, assignment: &str) {
    let sql = format!("update belay.session set {assignment}");
    world.test_db.conn().batch_execute(&sql).unwrap();
}

#[test]
fn a_session_does_what_its_key_may() {
    let world = World::new();
    let form = format!("username=root&password={}", world.admin);
    let reply = log_in(&world, &[], &form);
    let body = expect(
        &reply,
        200,
        &json!({
            "responseStatus": "SUCCESS", "sessionId": "[text]", "userId": "[number]",
            "vaultIds": [{"id": 1, "name": "default", "url": "http://test/api"}], "vaultId": 1
        }),
    );
    let session = body["sessionId"].as_str().unwrap();
    for spelling in [
        session.to_owned(),
        format!("Bearer {session}"),
        format!("bearer {session}"),
    ] {
        let id = queued(&world, 1)[0];
        let body = format!(r#"[{{"job_id":{id}}}]"#);
        let reply = send_as(&world, &spelling, "POST", CANCEL, &[], body);
        assert_eq!(data(&reply), [accepted(id)], "{spelling}");
    }
    // It is for this interface alone.
    assert_eq!(
        world
            .send_as(session, "GET", "/belay/v1/jobs", &json!(null))
            .status,
        401
    );
}

#[test]
fn the_tenants_of_the_key_are_named() {
    let world = World::new();
    let (a, b) = (world.tenant("a"), world.tenant("b"));
    let one = world.key("one", &["vault:read"], Some(&[b]));
    let two = world.key("two", &["vault:read"], Some(&[a, b]));
    let reply = log_in(&world, &[], &format!("username=one&password={one}"));
    let vaults = json!([{"id": b, "name": "b", "url": "http://test/api"}]);
    assert_eq!(
        (&reply.json()["vaultIds"], &reply.json()["vaultId"]),
        (&vaults, &json!(b))
    );
    let form = format!("username=two&password={two}");
    // Which of them, when there is no usual one?
    expect_failure(&log_in(&world, &[], &form), 200, "INVALID_DATA");
    let reply = log_in(&world, &[("Belay-Tenant", "b")], &form);
    assert_eq!(reply.json()["vaultId"], b);
    assert_eq!(reply.json()["vaultIds"].as_array().unwrap().len(), 2);
    let reply = log_in(&world, &[("Belay-Tenant", "default")], &form);
    expect_failure(&reply, 200, "INSUFFICIENT_ACCESS");
}

#[test]
fn what_does_not_belong_together_opens_nothing() {
    let world = World::new();
    let other = world.key("other", &["vault:read"], None);
    let revoked = world.key("gone", &["vault:read"], None);
    world.send("DELETE", "/belay/v1/keys/gone", &json!(null));
    let key = &world.admin;
    for (form, kind) in [
        (
            format!("username=other&password={key}"),
            "USERNAME_OR_PASSWORD_INCORRECT",
        ),
        (
            format!("username=root&password={other}"),
            "USERNAME_OR_PASSWORD_INCORRECT",
        ),
        (
            format!("username=root&password={key}0"),
            "USERNAME_OR_PASSWORD_INCORRECT",
        ),
        (
            format!("username=gone&password={revoked}"),
            "USERNAME_OR_PASSWORD_INCORRECT",
        ),
        (format!("password={key}"), "USERNAME_OR_PASSWORD_INCORRECT"),
        (
            "username=root&password=x".into(),
            "USERNAME_OR_PASSWORD_INCORRECT",
        ),
        ("username=root&password=".into(), "NO_PASSWORD_PROVIDED"),
        ("username=root".into(), "NO_PASSWORD_PROVIDED"),
        (String::new(), "NO_PASSWORD_PROVIDED"),
    ] {
        expect(
            &log_in(&world, &[], &form),
            200,
            &json!({
                "responseStatus": "FAILURE", "errors": [{"type": kind, "message": "[text]"}], "errorType": "AUTHENTICATION_FAILED"
            }),
        );
    }
    let path = format!("{BASE}/auth");
    let json = [("Content-Type", "application/json")];
    let reply = request(world.address(), "POST", &path, &json, b"{}");
    expect_failure(&reply, 415, "INVALID_DATA");
    let twice = log_in(&world, &[], "username=a&username=b&password=c");
    expect_failure(&twice, 200, "INVALID_DATA");
    let count: i64 = diesel::select(diesel::dsl::sql::<diesel::sql_types::BigInt>(
        "(select count(*) from belay.session)",
    ))
    .get_result(&mut world.test_db.conn())
    .unwrap();
    assert_eq!(count, 0);
}

#[test]
fn a_session_that_is_not_used_ends_after_twenty_minutes() {
    let world = World::new();
    let used = session(&world);
    set(&world, "used_at = now() - interval '19 min 50 s'");
    assert!(works(&world, &used));
    let unused = session(&world);
    set(&world, "used_at = now() - interval '20 min 1 s'");
    assert!(!works(&world, &unused));
}

#[test]
fn every_session_ends_after_two_days() {
    let world = World::new();
    let session = session(&world);
    let life: f64 = diesel::select(diesel::dsl::sql::<diesel::sql_types::Double>(
        "(select extract(epoch from ends_at - now())::float8 from belay.session)",
    ))
    .get_result(&mut world.test_db.conn())
    .unwrap();
    let two_days = 48.0 * 3600.0;
    assert!((two_days - 60.0..=two_days).contains(&life), "{life}");
    set(&world, "used_at = now(), ends_at = now() - interval '1 ms'");
    assert!(!works(&world, &session));
}

#[test]
fn keep_alive_counts_as_use_for_certain() {
    let world = World::new();
    let session = session(&world);
    // From now on it is remembered, and a use is not written down every time.
    assert!(works(&world, &session));
    set(&world, "used_at = now() - interval '19 min'");
    let reply = send_as(
        &world,
        &session,
        "POST",
        &format!("{BASE}/keep-alive"),
        &[],
        "",
    );
    expect(&reply, 200, &json!({"responseStatus": "SUCCESS"}));
    let unused: f64 = diesel::select(diesel::dsl::sql::<diesel::sql_types::Double>(
        "(select extract(epoch from now() - used_at)::float8 from belay.session)",
    ))
    .get_result(&mut world.test_db.conn())
    .unwrap();
    assert!(unused < 300.0, "{unused}");
}

#[test]
fn a_session_that_was_ended_stops_at_once() {
    let world = World::new();
    let (first, second) = (session(&world), session(&world));
    assert!(works(&world, &first) && works(&world, &second));
    let path = format!("{BASE}/session");
    let done = json!({"responseStatus": "SUCCESS"});
    expect(
        &send_as(&world, &first, "DELETE", &path, &[], ""),
        200,
        &done,
    );
    assert!(!works(&world, &first));
    assert!(works(&world, &second));
    let again = send_as(&world, &first, "DELETE", &path, &[], "");
    expect_failure(&again, 200, "INVALID_SESSION_ID");
    // The key itself goes on.
    expect(
        &send_as(&world, &world.admin, "DELETE", &path, &[], ""),
        200,
        &done,
    );
    assert!(works(&world, &world.admin));
}

#[test]
fn a_session_ends_with_its_key() {
    let world = World::new();
    let key = world.key("short", &["vault:read"], None);
    let reply = log_in(&world, &[], &format!("username=short&password={key}"));
    let session = reply.json()["sessionId"].as_str().unwrap().to_owned();
    assert!(works(&world, &session));
    world.send("DELETE", "/belay/v1/keys/short", &json!(null));
    assert!(!works(&world, &session));
}
