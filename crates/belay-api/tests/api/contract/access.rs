//! Who may touch which job, and what others are told.

use belay_core::JobState;
use belay_core::id::JobRef;
use diesel::connection::SimpleConnection;
use serde_json::Value;

use super::faces::{Ask, FACES, Face, Unknown};
use super::shapes::{Wrong, vault_failure};
use super::table::entry_failure;
use crate::support::{Reply, Wish, World};

/// Scopes for everything, without the rights of an administrator.
fn scopes_without(left_out: &str) -> Vec<&'static str> {
    let mut scopes: Vec<&str> = FACES
        .iter()
        .flat_map(|face| [face.read_scope, face.write_scope])
        .filter(|scope| *scope != left_out)
        .collect();
    scopes.dedup();
    scopes
}

/// A job of another tenant.
fn job_of(world: &World, tenant: i32) -> i64 {
    let wish = Wish {
        tenant,
        ..Wish::default()
    };
    world.make_with(JobState::Queued, &wish).id
}

/// Lets the numbers of jobs begin where no other number in an answer is.
fn large_numbers(world: &World) {
    let sql = "alter table belay.job alter column id restart with 77001";
    world.test_db.conn().batch_execute(sql).unwrap();
}

/// A reply without what differs from one request to the next: the id asked for, and the time.
fn plain(reply: &Reply, id: &str) -> (u16, Vec<(String, String)>, String) {
    let mut headers = reply.headers.clone();
    headers.retain(|(name, _)| name != "date" && name != "content-length");
    headers.sort();
    let mut body = reply.json();
    if let Some(time) = body.get_mut("timestamp") {
        *time = Value::Null;
    }
    (reply.status, headers, body.to_string().replace(id, "ID"))
}

/// Asserts that two requests, each for another id, are answered alike, and as `check` says.
#[track_caller]
fn alike(world: &World, key: &str, asks: [(Ask, &str); 2], check: impl Fn(&Reply, &Ask, &str)) {
    let [one, other] = asks.map(|(ask, id)| {
        let ask = ask.key(key).with("X-Request-Id", "same");
        let reply = ask.send(world.address());
        check(&reply, &ask, id);
        plain(&reply, id)
    });
    assert_eq!(one, other);
}

/// Asserts that this says that there is no such job.
#[track_caller]
fn is_unknown(face: &Face, reply: &Reply, ask: &Ask, id: &str) {
    let message = format!("Job [{id}] is not found");
    match face.unknown {
        Unknown::NotFound => face.is_fault(reply, Wrong::NotFound, ask),
        Unknown::Entry if ask.method == "GET" => {
            vault_failure(reply, 200, "INVALID_DATA");
            assert!(reply.text().contains(&message));
        }
        Unknown::Entry => entry_failure(reply, "INVALID_DATA", &message),
    }
}

#[test]
fn a_job_of_another_tenant_is_exactly_as_no_job() {
    let world = World::new();
    large_numbers(&world);
    let other = world.tenant("other");
    let foreign = job_of(&world, other);
    let key = world.key("one", &scopes_without(""), Some(&[1]));
    let both = world.key("both", &scopes_without(""), Some(&[1, other]));
    let before = world.contents();
    for face in &FACES {
        let here = (face.tenant)(&world, 1);
        let foreign = (face.job)(&world.seen(foreign));
        for key in [&key, &both] {
            if key == &both && face.no_access == Wrong::NotFound {
                // Its ids are global, and this key reaches the job.
                continue;
            }
            for ask in [Face::cancel, Face::read] {
                let asks = [foreign.as_str(), face.nobody].map(|id| (ask(face, &here, id), id));
                alike(&world, key, asks, |reply, ask, id| {
                    is_unknown(face, reply, ask, id);
                });
            }
        }
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn without_access_to_the_tenant_existing_and_missing_jobs_are_answered_alike() {
    let world = World::new();
    large_numbers(&world);
    let other = world.tenant("other");
    let id = job_of(&world, other);
    let key = world.key("one", &scopes_without(""), Some(&[1]));
    let before = world.contents();
    for face in &FACES {
        let there = (face.tenant)(&world, other);
        let existing = (face.job)(&world.seen(id));
        for ask in [Face::cancel, Face::read] {
            let asks = [existing.as_str(), face.nobody].map(|id| (ask(face, &there, id), id));
            alike(&world, &key, asks, |reply, ask, _| {
                face.is_fault(reply, face.no_access, ask);
            });
        }
    }
    assert_eq!(world.contents(), before);
    // The owner's key does reach it.
    let owner = world.key("owner", &scopes_without(""), Some(&[other]));
    for face in &FACES {
        let there = (face.tenant)(&world, other);
        let ask = face.read(&there, &(face.job)(&world.seen(id))).key(&owner);
        let reply = ask.send(world.address());
        assert_eq!(
            (reply.status, reply.json().get("errors")),
            (200, None),
            "{}",
            face.name
        );
    }
}

#[test]
fn without_the_scope_existing_and_missing_jobs_are_answered_alike() {
    let world = World::new();
    large_numbers(&world);
    let id = world.make(JobState::Queued).id;
    let keys = FACES.each_ref().map(|face| {
        [(true, face.write_scope), (false, face.read_scope)].map(|(writes, scope)| {
            let name = format!("{}.{writes}", face.name);
            (writes, world.key(&name, &scopes_without(scope), Some(&[1])))
        })
    });
    let before = world.contents();
    for (face, keys) in FACES.iter().zip(&keys) {
        let here = (face.tenant)(&world, 1);
        let existing = (face.job)(&world.seen(id));
        for (writes, key) in keys {
            let ask = if *writes { Face::cancel } else { Face::read };
            let asks = [existing.as_str(), face.nobody].map(|id| (ask(face, &here, id), id));
            alike(&world, key, asks, |reply, ask, _| {
                face.is_fault(reply, Wrong::Forbidden, ask);
            });
        }
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn without_a_credential_that_works_nothing_is_told_and_nothing_done() {
    let world = World::new();
    let id = world.make(JobState::Queued).id;
    let revoked = world.key("revoked", &scopes_without(""), None);
    let expired = world.key("expired", &scopes_without(""), None);
    world
        .test_db
        .conn()
        .batch_execute(
            "update belay.api_key set revoked_at = now() where name = 'revoked';
             update belay.api_key set expires_at = now() where name = 'expired'",
        )
        .unwrap();
    let unknown = format!("belay_{}", "0".repeat(48));
    let long = format!("belay_{}", "0".repeat(5000));
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    let before = world.contents();
    for face in &FACES {
        let here = (face.tenant)(&world, 1);
        let existing = (face.job)(&world.seen(id));
        for header in [
            None,
            bearer(&unknown),
            bearer(&revoked),
            bearer(&expired),
            bearer(""),
            bearer("belay_"),
            bearer(&long),
            bearer(&format!("{} x", world.admin)),
            Some(format!("Basic {}", world.admin)),
            Some("Bearer".into()),
            Some(String::new()),
        ] {
            for ask in [
                face.cancel(&here, &existing),
                face.read(&here, &existing),
                face.cancel(&here, face.nobody),
            ] {
                let ask = match &header {
                    Some(value) => ask.with("Authorization", value),
                    None => ask,
                };
                let reply = ask.send(world.address());
                face.is_fault(&reply, Wrong::Unauthenticated, &ask);
                let challenge = reply.header("www-authenticate");
                match (face.name, &header) {
                    ("vault", _) => assert_eq!(challenge, None),
                    ("prospecting" | "ingest", _) | (_, None) => {
                        assert_eq!(challenge, Some("Bearer"));
                    }
                    (_, Some(_)) => {
                        assert_eq!(challenge, Some("Bearer error=\"invalid_token\""));
                    }
                }
            }
        }
        // Given twice, none counts.
        let ask = face.cancel(&here, &existing);
        let twice = ask.key(&world.admin).key(&world.admin);
        face.is_fault(&twice.send(world.address()), Wrong::Unauthenticated, &twice);
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn a_job_that_was_deleted_is_exactly_as_no_job() {
    let world = World::new();
    large_numbers(&world);
    for state in [
        JobState::Queued,
        JobState::Completed,
        JobState::Cancelled,
        JobState::Failed,
    ] {
        let (uid, _) = world.ingest_in(state);
        let path = format!("/api/v1/ingest/jobs/{uid}");
        let deleted = Ask::new("DELETE", path).key(&world.admin);
        assert_eq!(deleted.send(world.address()).status, 204);
        let job: JobRef = uid.parse().unwrap();
        let job = world.seen(job.id);
        let before = world.contents();
        for face in &FACES {
            let here = (face.tenant)(&world, 1);
            let gone = (face.job)(&job);
            for ask in [Face::cancel, Face::read] {
                let asks = [gone.as_str(), face.nobody].map(|id| (ask(face, &here, id), id));
                alike(&world, &world.admin, asks, |reply, ask, id| {
                    is_unknown(face, reply, ask, id);
                });
            }
        }
        assert_eq!(world.contents(), before, "{state}");
    }
}

#[test]
fn a_login_works_through_its_own_interface_only() {
    let world = World::new();
    let id = world.make(JobState::Queued).id;
    let key = &world.admin;
    let cdp = "grant_type=urn:salesforce:grant-type:external:cdp&subject_token_type=urn:ietf:params:oauth:token-type:access_token";
    for (name, path, form, member) in [
        (
            "jobs",
            "/auth/tokens",
            format!("grant_type=client_credentials&client_id=root&client_secret={key}"),
            "access_token",
        ),
        (
            "vault",
            "/api/v26.1/auth",
            format!("username=root&password={key}"),
            "sessionId",
        ),
        (
            "ingest",
            "/services/a360/token",
            format!("{cdp}&subject_token={key}"),
            "access_token",
        ),
    ] {
        let login = Ask::new("POST", path)
            .with("Content-Type", "application/x-www-form-urlencoded")
            .body(form);
        let reply = login.send(world.address());
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        let token = reply.json()[member].as_str().unwrap().to_owned();
        for face in &FACES {
            let job = (face.job)(&world.seen(id));
            let ask = face.read(&(face.tenant)(&world, 1), &job).key(&token);
            // Twice: what is remembered of a login says the same.
            for _ in 0..2 {
                let reply = ask.send(world.address());
                if face.name == name {
                    assert_eq!(reply.status, 200, "{name}: {}", reply.text());
                    assert!(reply.text().contains(face.word_for(JobState::Queued)));
                } else {
                    face.is_fault(&reply, Wrong::Unauthenticated, &ask);
                }
            }
        }
    }
}
