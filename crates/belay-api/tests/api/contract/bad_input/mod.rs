//! Requests that cannot be meant, over all operations of the five interfaces. Each is refused in the words of its interface, none
//! is a defect of ours, and none changes anything.

mod bulk_actions;
mod common;
mod ingest;
mod jobs;
mod logins;
mod prospecting;
mod vault;

use std::collections::HashSet;

use belay_core::JobState;
use diesel::connection::SimpleConnection;
use serde_json::json;

use super::faces::{Ask, FACES, Face};
use super::shapes::{Wrong, vault_failure};
use crate::support::{Reply, World, assert_matches};

/// What has to be answered.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// That fault, in the shape of the interface.
    Is(Wrong),
    /// `vault`: something that must be there is not.
    Required,
    /// `vault`: the request went well, and its only entry is refused so.
    Entry(&'static str),
    /// `vault`: no login, for that reason.
    Login(&'static str),
    /// `jobs`: no token, with that status and for that reason.
    Token(u16, &'static str),
    /// `ingest`: no token.
    Grant,
}

use Expected::{Entry, Grant, Is, Login, Required, Token};

/// A request and what has to be answered.
struct Bad {
    face: &'static Face,
    ask: Ask,
    expected: Expected,
}

/// What the requests are about: jobs of the tenant `default`, and everybody's key.
struct Here {
    key: String,
    /// Key of a tenant.
    group: String,
    /// Waits in its line.
    queued: Ids,
    /// Has ended well.
    done: Ids,
    /// Takes files.
    open: Ids,
}

/// The three spellings of a job.
struct Ids {
    number: i64,
    key: String,
    uid: String,
}

/// The interface of that name.
fn face(name: &str) -> &'static Face {
    FACES.iter().find(|face| face.name == name).unwrap()
}

impl Here {
    fn new(world: &World) -> Self {
        // So that no number is a text of the tables below by chance.
        let sql = "alter table belay.job alter column id restart with 77001";
        world.test_db.conn().batch_execute(sql).unwrap();
        let ids = |state: JobState| {
            let job = world.seen(world.make(state).id);
            Ids {
                number: job.id,
                key: job.key(),
                uid: job.uid().to_string(),
            }
        };
        // So that a key may touch several.
        world.tenant("other");
        Self {
            key: world.admin.clone(),
            group: (face("prospecting").tenant)(world, 1),
            queued: ids(JobState::Queued),
            done: ids(JobState::Completed),
            open: ids(JobState::Open),
        }
    }

    /// A request with everybody's key.
    fn ask(&self, method: &'static str, path: impl Into<String>) -> Ask {
        Ask::new(method, path).key(&self.key)
    }

    /// Everything there is for all interfaces.
    fn all(&self) -> Vec<Bad> {
        let mut all = common::bad(self);
        all.extend(prospecting::bad(self));
        all.extend(jobs::bad(self));
        all.extend(vault::bad(self));
        all.extend(bulk_actions::bad(self));
        all.extend(ingest::bad(self));
        all.extend(logins::bad(self));
        all
    }
}

/// Entries of one interface with the same answer.
fn each(name: &str, expected: Expected, asks: impl IntoIterator<Item = Ask>) -> Vec<Bad> {
    let face = face(name);
    asks.into_iter()
        .map(|ask| Bad {
            face,
            ask,
            expected,
        })
        .collect()
}

/// The request as it is shown when a test fails.
fn shown(ask: &Ask) -> String {
    let body: String = String::from_utf8_lossy(&ask.body)
        .chars()
        .take(100)
        .collect();
    let headers: Vec<_> = ask
        .headers
        .iter()
        .filter(|(name, _)| name != "Authorization")
        .collect();
    let path: String = ask.path.chars().take(200).collect();
    format!("{} {path} {headers:?} {body}", ask.method)
}

impl Bad {
    #[track_caller]
    fn check(&self, reply: &Reply) {
        match self.expected {
            Is(wrong) => self.face.is_fault(reply, wrong, &self.ask),
            Required => vault_failure(reply, 200, "PARAMETER_REQUIRED"),
            Entry(kind) => {
                let failure = json!({
                    "responseStatus": "FAILURE",
                    "errors": {"type": kind, "message": "[text]"}
                });
                assert_eq!(reply.status, 200);
                assert_matches(
                    &reply.json(),
                    &json!({"responseStatus": "SUCCESS", "data": [failure]}),
                );
            }
            Login(kind) => {
                assert_eq!(reply.status, 200);
                assert_matches(
                    &reply.json(),
                    &json!({
                        "responseStatus": "FAILURE", "errors": [{"type": kind, "message": "[text]"}],
                        "errorType": "AUTHENTICATION_FAILED"
                    }),
                );
            }
            Token(status, error) => {
                assert_eq!(reply.status, status);
                assert_eq!(reply.header("cache-control"), Some("no-store"));
                assert_eq!(reply.json(), json!({"error": error}));
            }
            Grant => {
                assert_eq!(reply.status, 400);
                assert_matches(
                    &reply.json(),
                    &json!({"error": "invalid_grant", "error_description": "[text]"}),
                );
            }
        }
    }
}

/// Sends those of one interface.
fn send_all(name: &str) {
    let world = World::new();
    let here = Here::new(&world);
    let before = world.contents();
    let mut wrong = Vec::new();
    let mut all = here.all();
    all.retain(|bad| bad.face.name == name);
    // Reading all the tables takes longer than some requests together.
    for some in all.chunks(20) {
        for bad in some {
            let reply = bad.ask.send(world.address());
            let checked = std::panic::catch_unwind(|| bad.check(&reply));
            if reply.status >= 500 || checked.is_err() {
                let (asked, text) = (shown(&bad.ask), reply.text());
                wrong.push(format!(
                    "{asked}\n  expected {:?}\n  answered {} {text}",
                    bad.expected, reply.status
                ));
            }
        }
        if world.contents() != before {
            let asked: Vec<String> = some.iter().map(|bad| shown(&bad.ask)).collect();
            panic!("something was changed by one of\n{}", asked.join("\n"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    // The server goes on.
    let face = face(name);
    let was = world.seen(here.queued.number);
    let cancel = face.cancel_of(&world, was.id);
    face.accepted(&cancel.send(world.address()), &was);
}

#[test]
fn bad_input_to_prospecting_is_refused_and_changes_nothing() {
    send_all("prospecting");
}

#[test]
fn bad_input_to_jobs_is_refused_and_changes_nothing() {
    send_all("jobs");
}

#[test]
fn bad_input_to_vault_is_refused_and_changes_nothing() {
    send_all("vault");
}

#[test]
fn bad_input_to_bulk_actions_is_refused_and_changes_nothing() {
    send_all("bulk-actions");
}

#[test]
fn bad_input_to_ingest_is_refused_and_changes_nothing() {
    send_all("ingest");
}

#[test]
fn there_are_enough_of_them_and_no_two_are_the_same() {
    let world = World::new();
    let here = Here::new(&world);
    let all = here.all();
    let mut different = HashSet::new();
    let twice: Vec<String> = all
        .iter()
        .filter(|bad| !different.insert(bad.ask.bytes()))
        .map(|bad| shown(&bad.ask))
        .collect();
    assert!(twice.is_empty(), "twice:\n{}", twice.join("\n"));
    assert!(all.len() >= 150, "{}", all.len());
    for face in &FACES {
        let count = all.iter().filter(|bad| bad.face.name == face.name).count();
        assert!(count >= 30, "{count} for {}", face.name);
    }
}
