//! Who may: credentials, scopes, tenants.

use belay_core::JobState;
use belay_core::ops::{self, Actor, NewKey, Via};
use chrono::{TimeDelta, Utc};

use super::face::{ALL, Face, Meaning};
use super::shape::assert_failure;
use crate::support::{Wish, World};

#[test]
fn without_a_credential_that_works_nothing_is_done() {
    let world = World::new();
    let made = world.make(JobState::Queued);
    let before = world.contents();
    let expired = NewKey {
        name: "expired".into(),
        scopes: vec!["admin".into()],
        tenants: None,
        expires_at: Some(Utc::now() - TimeDelta::seconds(1)),
    };
    let me = Actor::new("test", Via::Cli);
    let expired = world
        .db
        .tx(|c| ops::create_key(c, &expired, &me))
        .unwrap()
        .1;
    let revoked = world.key("revoked", &["admin"], None);
    world.db.tx(|c| ops::revoke_key(c, "revoked")).unwrap();
    let without_keys = |text: String| -> String {
        text.lines()
            .filter(|line| !line.contains("expired") && !line.contains("revoked"))
            .collect()
    };
    for face in ALL {
        for credential in [
            None,
            Some(String::new()),
            Some("Bearer".into()),
            Some("Bearer belay_unknown".into()),
            Some("Basic cm9vdDpyb290".into()),
            Some(format!("Bearer {expired}")),
            Some(format!("Bearer {revoked}")),
            Some(format!("Bearer {}x", world.admin)),
            Some("Bearer belay_session_0000".into()),
        ] {
            let mut ask = face.cancel(&world, made.id).without("Authorization");
            if let Some(value) = &credential {
                ask = ask.with("Authorization", value.clone());
            }
            let reply = ask.send(&world);
            let about = format!("{credential:?}");
            assert_eq!(
                face.meaning(&reply),
                Meaning::Unauthenticated,
                "{face:?} {about}: {reply:?}"
            );
            assert_failure(face, &reply, &about);
            if face != Face::Vault {
                assert!(
                    reply
                        .header("www-authenticate")
                        .unwrap()
                        .starts_with("Bearer")
                );
            }
        }
    }
    assert_eq!(without_keys(world.contents()), without_keys(before));
}

#[test]
fn a_key_without_the_scope_is_refused_before_anything_is_looked_at() {
    let world = World::new();
    let made = world.make(JobState::Queued);
    for face in ALL {
        let others: Vec<&str> = [
            "read",
            "write",
            "worker",
            "prospecting:read",
            "jobs:read",
            "vault:read",
            "bulk:read",
        ]
        .into_iter()
        .chain(
            ALL.iter()
                .map(|other| other.scope())
                .filter(|scope| *scope != face.scope()),
        )
        .collect();
        let key = world.key(&format!("all-but-{}", face.via()), &others, None);
        // Also with a body that would be refused.
        for body in [None, Some("{")] {
            let mut ask = face.cancel(&world, made.id).key(&key);
            if let Some(body) = body {
                ask = ask.body(body);
            }
            let reply = ask.send(&world);
            assert_eq!(
                face.meaning(&reply),
                Meaning::Forbidden,
                "{face:?}: {reply:?}"
            );
            assert_failure(face, &reply, "no scope");
        }
        let key = world.key(&format!("only-{}", face.via()), &[face.scope()], None);
        let own = world.make(JobState::Queued);
        let reply = face.cancel(&world, own.id).key(&key).send(&world);
        assert_eq!(
            face.meaning(&reply),
            Meaning::Accepted,
            "{face:?}: {reply:?}"
        );
    }
    assert_eq!(world.seen(made.id).state, JobState::Queued);
}

/// A body without what differs from answer to answer.
fn plain(text: &str, id: &str) -> String {
    let text = text.replace(id, "ID");
    // The time of the answer.
    match text.find("\"timestamp\":\"") {
        Some(at) => format!("{}{}", &text[..at], &text[at + 13 + 24..]),
        None => text,
    }
}

#[test]
fn the_job_of_another_tenant_is_as_no_job() {
    let world = World::new();
    let other = world.tenant("other");
    // So that no number of a job stands anywhere else in an answer.
    for _ in 0..20 {
        world.make(JobState::Queued);
    }
    let wish = Wish {
        tenant: other,
        ..Wish::default()
    };
    let foreign = world.make_with(JobState::Queued, &wish);
    // Of the same age, so that its spellings are as good, and then gone from the tables.
    let job = world.seen(foreign.id);
    let mut nobody = job.clone();
    nobody.id += 1000;
    let key = world.key("mine", &ALL.map(Face::scope), Some(&[1]));
    for face in ALL {
        let answers = [&job, &nobody].map(|job| {
            let ask = face
                .cancel_of(&world, 1, job)
                .key(&key)
                .with("X-Request-Id", "same");
            let reply = ask.send(&world);
            assert_eq!(
                face.meaning(&reply),
                Meaning::Missing,
                "{face:?}: {reply:?}"
            );
            let text = reply.text();
            [job.key(), job.uid().to_string(), job.id.to_string()]
                .iter()
                .fold(plain(&text, "same"), |text, id| text.replace(id, "JOB"))
        });
        assert_eq!(answers[0], answers[1], "{face:?}");
    }
    assert_eq!(world.seen(foreign.id), job);
}

#[test]
fn a_tenant_that_the_key_may_not_touch_is_refused_alike_for_jobs_that_are_there_and_that_are_not() {
    let world = World::new();
    let other = world.tenant("other");
    // So that no number of a job stands anywhere else in an answer.
    for _ in 0..20 {
        world.make(JobState::Queued);
    }
    let wish = Wish {
        tenant: other,
        ..Wish::default()
    };
    let there = world.seen(world.make_with(JobState::Queued, &wish).id);
    let mut nowhere = there.clone();
    nowhere.id += 1000;
    let key = world.key("mine", &ALL.map(Face::scope), Some(&[1]));
    // The interfaces whose requests name a tenant.
    for face in [Face::Prospecting, Face::Jobs] {
        let answers = [&there, &nowhere].map(|job| {
            let reply = face
                .cancel_of(&world, other, job)
                .key(&key)
                .with("X-Request-Id", "same")
                .send(&world);
            assert_eq!(
                face.meaning(&reply),
                Meaning::Forbidden,
                "{face:?}: {reply:?}"
            );
            assert_failure(face, &reply, "foreign tenant");
            reply
                .text()
                .replace(&job.id.to_string(), "JOB")
                .replace(&job.key(), "JOB")
        });
        assert_eq!(answers[0], answers[1], "{face:?}");
    }
    assert_eq!(world.seen(there.id), there);
}
