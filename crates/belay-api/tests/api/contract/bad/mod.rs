//! The list of what no client should send, by interface and operation.

mod bulk;
mod ingest;
mod jobs;
mod prospecting;
mod vault;

use super::face::{Ask, Face};
use crate::support::World;

/// A request that must be refused.
pub(in crate::contract) struct Bad {
    pub(in crate::contract) face: Face,
    pub(in crate::contract) ask: Ask,
    /// The status code of the answer.
    pub(in crate::contract) status: u16,
    /// Only an entry of a list is bad: then that entry says so.
    pub(in crate::contract) single: bool,
}

pub(super) struct List {
    pub(super) face: Face,
    pub(super) all: Vec<Bad>,
}

impl List {
    pub(super) fn add(&mut self, status: u16, ask: Ask) {
        self.all.push(Bad {
            face: self.face,
            ask: if self.face == Face::Jobs && !ask.headers.iter().any(|(n, _)| n == "Customer-Id")
            {
                ask.with("Customer-Id", "1")
            } else {
                ask
            },
            status,
            single: false,
        });
    }

    pub(super) fn json(&mut self, status: u16, method: &'static str, path: &str, bodies: &[&str]) {
        for body in bodies {
            let ask = Ask::new(method, path)
                .with("Content-Type", "application/json")
                .body(*body);
            self.add(status, ask);
        }
    }

    pub(super) fn get(&mut self, status: u16, path: &str, queries: &[&str]) {
        for query in queries {
            self.add(status, Ask::new("GET", format!("{path}?{query}")));
        }
    }
}

/// What is malformed whatever it is for.
pub(super) fn broken() -> Vec<String> {
    vec![
        "{\"a\":\"\\u0000\"}".into(),
        "{\"a\":\"\\ud800\"}".into(),
        "{\"a\":1,\"a\":2}".into(),
        format!("{{\"a\":{}{}}}", "[".repeat(70), "]".repeat(70)),
        "{\"a\":1e999}".into(),
        "{\"a\":01}".into(),
        "{'a':1}".into(),
    ]
}

pub(super) const KEY: &str = "6b065cb0000000000000004d";
pub(super) const UID: &str = "01a210da-1086-8000-8000-00000000004d";

pub(in crate::contract) fn all(world: &World) -> Vec<Bad> {
    let mut all = prospecting::list(world);
    all.extend(jobs::list());
    all.extend(vault::list());
    all.extend(bulk::list());
    all.extend(ingest::list());
    all
}
