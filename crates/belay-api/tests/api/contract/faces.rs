//! The five interfaces: how each spells a job, a tenant and a request.

use std::net::SocketAddr;

use belay_api::Dialect;
use belay_core::id::JobRef;
use belay_core::model::Job;
use belay_core::query;
use serde_json::json;

use super::shapes::{self, Wrong};
use crate::support::{Reply, World, exchange};

/// One interface.
pub(super) struct Face {
    pub(super) name: &'static str,
    pub(super) dialect: Dialect,
    /// Its column in the table of states.
    pub(super) column: usize,
    /// The scope for looking.
    pub(super) read_scope: &'static str,
    /// The scope for cancelling.
    pub(super) write_scope: &'static str,
    /// A path of its own that nothing is at.
    pub(super) nowhere: &'static str,
    /// A method that the path of a cancel does not have, and the value of `Allow`.
    pub(super) wrong_method: (&'static str, &'static str),
    /// An id of the right form that no job has.
    pub(super) nobody: &'static str,
    /// A text that is no id, and what is wrong with it here.
    pub(super) no_id: (&'static str, Wrong),
    /// What a job is that is unknown, or not in that tenant.
    pub(super) unknown: Unknown,
    /// What a tenant is that the key has no access to.
    pub(super) no_access: Wrong,
    /// Whether a body can say why.
    pub(super) keeps_reasons: bool,
    /// Whether its faults are problem documents, of a media type of their own.
    pub(super) has_problems: bool,
    /// What a job is called.
    pub(super) job: fn(&Job) -> String,
    /// What a tenant is called.
    pub(super) tenant: fn(&World, i32) -> String,
    cancel: fn(&str, &str) -> Ask,
    read: fn(&str, &str) -> Ask,
    /// Puts the fault of a status into the words of the interface; see [`shapes`].
    pub(super) fault: fn(&Reply, Wrong, &str),
    /// Where a reading names the state.
    state_at: &'static str,
}

/// How an unknown job is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// As a fault.
    NotFound,
    /// A cancel answers it as one entry of several; a reading is refused.
    Entry,
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Ask {
    pub(super) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn key(self, key: &str) -> Self {
        self.with("Authorization", &format!("Bearer {key}"))
    }

    pub(super) fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    pub(super) fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Everything before the body, which is announced to be so long.
    pub(super) fn head(&self, length: usize) -> Vec<u8> {
        let (method, path) = (self.method, &self.path);
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if length > 0 || matches!(method, "POST" | "PUT" | "PATCH") {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// The whole request.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head(self.body.len());
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The whole request with its body in pieces, so that nobody knows beforehand how long it is.
    pub(super) fn chunked(&self) -> Vec<u8> {
        let head = String::from_utf8(self.head(0)).unwrap();
        let head = head.replace("Content-Length: 0\r\n", "");
        let mut bytes = head
            .replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n")
            .into_bytes();
        for piece in self.body.chunks(50_000) {
            bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            bytes.extend_from_slice(piece);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }

    pub(super) fn send(&self, address: SocketAddr) -> Reply {
        exchange(address, &self.bytes())
    }
}

impl Face {
    /// To cancel a job of a tenant, both as the interface calls them. Without a credential.
    pub(super) fn cancel(&self, tenant: &str, job: &str) -> Ask {
        (self.cancel)(tenant, job)
    }

    /// To look at a job of a tenant.
    pub(super) fn read(&self, tenant: &str, job: &str) -> Ask {
        (self.read)(tenant, job)
    }

    /// To cancel a job of the tenant `default`, with everybody's key.
    pub(super) fn cancel_of(&self, world: &World, id: i64) -> Ask {
        let job = (self.job)(&world.seen(id));
        self.cancel(&(self.tenant)(world, 1), &job)
            .key(&world.admin)
    }

    /// To look at a job of the tenant `default`.
    pub(super) fn read_of(&self, world: &World, id: i64) -> Ask {
        let job = (self.job)(&world.seen(id));
        self.read(&(self.tenant)(world, 1), &job).key(&world.admin)
    }

    /// The same cancel, for a reason. Where none can be given, it is ignored.
    pub(super) fn because(&self, ask: Ask, reason: &str) -> Ask {
        if self.keeps_reasons {
            ask.body(json!({ "reason": reason }).to_string())
        } else {
            ask
        }
    }

    /// The word for the state of a job of the tenant `default`.
    #[track_caller]
    pub(super) fn word(&self, world: &World, id: i64) -> String {
        let reply = self.read_of(world, id).send(world.address());
        assert_eq!(reply.status, 200, "{}: {}", self.name, reply.text());
        let body = reply.json();
        let word = body.pointer(self.state_at).and_then(|word| word.as_str());
        word.unwrap_or_else(|| panic!("{}: no word in {body}", self.name))
            .to_owned()
    }

    /// Asserts that this is that fault, with everything that belongs to it here.
    #[track_caller]
    pub(super) fn is_fault(&self, reply: &Reply, wrong: Wrong, ask: &Ask) {
        shapes::heads(reply, wrong);
        let path = ask.path.split('?').next().unwrap();
        (self.fault)(reply, wrong, path);
    }
}

fn json_body(ask: Ask, body: &serde_json::Value) -> Ask {
    ask.with("Content-Type", "application/json")
        .body(body.to_string())
}

fn number(job: &Job) -> String {
    job.id.to_string()
}

fn uuid(job: &Job) -> String {
    job.uid().to_string()
}

fn tenant_number(_: &World, tenant: i32) -> String {
    tenant.to_string()
}

/// All of them, in the order of the columns of the table.
pub(super) const FACES: [Face; 5] = [
    Face {
        name: "prospecting",
        dialect: Dialect::Prospecting,
        column: 0,
        read_scope: "prospecting:read",
        write_scope: "prospecting:write",
        nowhere: "/v1/accounts/nothing/here",
        wrong_method: ("GET", "POST"),
        nobody: "6b065cb00000000000001092",
        no_id: ("6B065CB00000000000001092", Wrong::Malformed),
        unknown: Unknown::NotFound,
        no_access: Wrong::Forbidden,
        keeps_reasons: true,
        has_problems: false,
        job: |job| job.key(),
        tenant: |world, tenant| {
            let id = JobRef::number(i64::from(tenant));
            let found = world.db.read(|c| query::tenant_by_id(c, &id));
            found.unwrap().key()
        },
        cancel: |tenant, job| {
            Ask::new(
                "POST",
                format!("/v1/accounts/{tenant}/prospecting/{job}/cancel"),
            )
        },
        read: |tenant, job| Ask::new("GET", format!("/v1/accounts/{tenant}/prospecting/{job}")),
        fault: shapes::prospecting,
        state_at: "/data/status",
    },
    Face {
        name: "jobs",
        dialect: Dialect::Jobs,
        column: 1,
        read_scope: "jobs:read",
        write_scope: "jobs:write",
        nowhere: "/v1/jobs/1/nothing",
        wrong_method: ("GET", "POST, PUT"),
        nobody: "999999",
        no_id: ("1.0", Wrong::Malformed),
        unknown: Unknown::NotFound,
        no_access: Wrong::Forbidden,
        keeps_reasons: true,
        has_problems: true,
        job: number,
        tenant: tenant_number,
        cancel: |tenant, job| {
            Ask::new("POST", format!("/v1/jobs/{job}/cancel")).with("Customer-Id", tenant)
        },
        read: |tenant, job| Ask::new("GET", format!("/v1/jobs/{job}")).with("Customer-Id", tenant),
        fault: shapes::jobs,
        state_at: "/status",
    },
    Face {
        name: "vault",
        dialect: Dialect::Vault,
        column: 2,
        read_scope: "vault:read",
        write_scope: "vault:write",
        nowhere: "/api/v26.1/services/nothing",
        wrong_method: ("PUT", "POST"),
        nobody: "999999",
        no_id: ("1.0", Wrong::Malformed),
        unknown: Unknown::Entry,
        no_access: Wrong::Forbidden,
        keeps_reasons: false,
        has_problems: false,
        job: number,
        tenant: tenant_number,
        cancel: |tenant, job| {
            let ask = Ask::new("POST", "/api/v26.1/services/jobs/actions/cancel");
            json_body(ask.with("Belay-Tenant", tenant), &json!([{"job_id": job}]))
        },
        read: |tenant, job| {
            Ask::new("GET", format!("/api/v26.1/services/jobs/{job}")).with("Belay-Tenant", tenant)
        },
        fault: shapes::vault,
        state_at: "/data/status",
    },
    Face {
        name: "bulk-actions",
        dialect: Dialect::BulkActions,
        column: 3,
        read_scope: "bulk:read",
        write_scope: "bulk:write",
        nowhere: "/api/actions/bulk/nothing",
        wrong_method: ("GET", "POST"),
        nobody: "01a210da-1086-8000-8000-0000000fffff",
        no_id: ("77", Wrong::Malformed),
        unknown: Unknown::NotFound,
        // Its ids are global: what cannot be reached is not there.
        no_access: Wrong::NotFound,
        keeps_reasons: true,
        has_problems: true,
        job: uuid,
        tenant: tenant_number,
        cancel: |_, job| Ask::new("POST", format!("/api/actions/bulk/jobs/{job}/cancel")),
        read: |_, job| Ask::new("GET", format!("/api/actions/bulk/jobs/{job}")),
        fault: shapes::bulk_actions,
        state_at: "/status",
    },
    Face {
        name: "ingest",
        dialect: Dialect::Ingest,
        column: 4,
        read_scope: "ingest",
        write_scope: "ingest",
        nowhere: "/api/v1/ingest/nothing",
        wrong_method: ("POST", "GET, HEAD, PATCH, DELETE"),
        nobody: "01a210da-1086-8000-8000-0000000fffff",
        no_id: ("77", Wrong::NotFound),
        unknown: Unknown::NotFound,
        no_access: Wrong::Forbidden,
        keeps_reasons: false,
        has_problems: false,
        job: uuid,
        tenant: tenant_number,
        cancel: |tenant, job| {
            let ask = Ask::new("PATCH", format!("/api/v1/ingest/jobs/{job}"));
            json_body(
                ask.with("Belay-Tenant", tenant),
                &json!({"state": "Aborted"}),
            )
        },
        read: |tenant, job| {
            Ask::new("GET", format!("/api/v1/ingest/jobs/{job}")).with("Belay-Tenant", tenant)
        },
        fault: shapes::ingest,
        state_at: "/state",
    },
];
