//! What the suite has to know of each interface: how to ask, and what its words mean.

use belay_core::JobState;
use belay_core::model::Job;

use crate::support::{Reply, World, request};

/// One of the interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    Prospecting,
    Jobs,
    Vault,
    Bulk,
    Ingest,
}

pub(super) const ALL: [Face; 5] = [
    Face::Prospecting,
    Face::Jobs,
    Face::Vault,
    Face::Bulk,
    Face::Ingest,
];

/// What an answer comes to, whatever the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Accepted,
    /// The state does not allow it.
    Refused,
    Missing,
    Malformed,
    Unauthenticated,
    Forbidden,
    WrongMethod,
    TooLarge,
    WrongType,
    NotAcceptable,
    Limited,
    Failed,
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

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(super) fn key(self, key: &str) -> Self {
        self.without("Authorization")
            .with("Authorization", format!("Bearer {key}"))
    }

    pub(super) fn send(&self, world: &World) -> Reply {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        request(
            world.address(),
            self.method,
            &self.path,
            &headers,
            &self.body,
        )
    }
}

/// The 24-digit key of a tenant.
pub(super) fn group(world: &World, tenant: i32) -> String {
    let word = tenant.to_string();
    let found = world
        .db
        .read(|c| belay_core::query::find_tenant(c, &word))
        .unwrap();
    belay_core::id::key(found.id.into(), found.created_at)
}

impl Face {
    pub(super) const fn via(self) -> &'static str {
        match self {
            Self::Prospecting => "prospecting",
            Self::Jobs => "jobs",
            Self::Vault => "vault",
            Self::Bulk => "bulk-actions",
            Self::Ingest => "ingest",
        }
    }

    pub(super) const fn dialect(self) -> belay_api::Dialect {
        use belay_api::Dialect;
        match self {
            Self::Prospecting => Dialect::Prospecting,
            Self::Jobs => Dialect::Jobs,
            Self::Vault => Dialect::Vault,
            Self::Bulk => Dialect::BulkActions,
            Self::Ingest => Dialect::Ingest,
        }
    }

    /// The scope that a cancel asks for.
    pub(super) const fn scope(self) -> &'static str {
        match self {
            Self::Prospecting => "prospecting:write",
            Self::Jobs => "jobs:write",
            Self::Vault => "vault:write",
            Self::Bulk => "bulk:write",
            Self::Ingest => "ingest",
        }
    }

    /// A request of the key of this tenant about one job, without a credential.
    pub(super) fn cancel_of(self, world: &World, tenant: i32, job: &Job) -> Ask {
        match self {
            Self::Prospecting => Ask::new(
                "POST",
                format!(
                    "/v1/accounts/{}/prospecting/{}/cancel",
                    group(world, tenant),
                    job.key()
                ),
            ),
            Self::Jobs => Ask::new("POST", format!("/v1/jobs/{}/cancel", job.id))
                .with("Customer-Id", tenant.to_string()),
            Self::Vault => Ask::new("POST", "/api/v26.1/services/jobs/actions/cancel")
                .with("Content-Type", "application/json")
                .body(format!("[{{\"job_id\": {}}}]", job.id)),
            Self::Bulk => Ask::new(
                "POST",
                format!("/api/actions/bulk/jobs/{}/cancel", job.uid()),
            ),
            Self::Ingest => Ask::new("PATCH", format!("/api/v1/ingest/jobs/{}", job.uid()))
                .with("Content-Type", "application/json")
                .body(r#"{"state":"Aborted"}"#),
        }
    }

    /// The cancel of a job by the administrator.
    pub(super) fn cancel(self, world: &World, id: i64) -> Ask {
        self.cancel_of(world, 1, &world.seen(id)).key(&world.admin)
    }

    /// A look at a job by the administrator.
    pub(super) fn look(self, world: &World, id: i64) -> Ask {
        let job = world.seen(id);
        let ask = match self {
            Self::Prospecting => Ask::new(
                "GET",
                format!("/v1/accounts/{}/prospecting/{}", group(world, 1), job.key()),
            ),
            Self::Jobs => Ask::new("GET", format!("/v1/jobs/{id}")).with("Customer-Id", "1"),
            Self::Vault => Ask::new("GET", format!("/api/v26.1/services/jobs/{id}")),
            Self::Bulk => Ask::new("GET", format!("/api/actions/bulk/jobs/{}", job.uid())),
            Self::Ingest => Ask::new("GET", format!("/api/v1/ingest/jobs/{}", job.uid())),
        };
        ask.key(&world.admin)
    }

    /// The word that a look at a job shows.
    pub(super) fn shown(self, world: &World, id: i64) -> String {
        let seen = self.look(world, id).send(world).json();
        let word = match self {
            Self::Prospecting | Self::Vault => &seen["data"]["status"],
            Self::Jobs | Self::Bulk => &seen["status"],
            Self::Ingest => &seen["state"],
        };
        word.as_str().unwrap_or_else(|| panic!("{seen}")).to_owned()
    }

    /// What it calls a state.
    pub(super) const fn word(self, state: JobState) -> &'static str {
        use JobState::{
            Cancelled, Cancelling, Completed, Failed, Open, Queued, Running, Scheduled, Suspended,
        };
        match (self, state) {
            (Self::Prospecting, Open | Scheduled | Queued) => "queued",
            (Self::Prospecting | Self::Bulk, Running | Suspended) => "running",
            (Self::Prospecting | Self::Jobs | Self::Bulk, Cancelling | Cancelled) => "cancelled",
            (Self::Prospecting | Self::Bulk, Completed) => "completed",
            (Self::Prospecting | Self::Bulk, Failed) => "failed",
            (Self::Jobs, Open) => "new",
            (Self::Jobs, Scheduled) => "scheduled",
            (Self::Jobs, Queued) => "sent",
            (Self::Jobs, Running) => "started",
            (Self::Jobs, Suspended) => "suspended",
            (Self::Jobs, Completed) => "completedOk",
            (Self::Jobs, Failed) => "completedWithIssues",
            (Self::Vault, Open) => "QUEUEING",
            (Self::Vault, Scheduled) => "SCHEDULED",
            (Self::Vault, Queued) => "QUEUED",
            (Self::Vault, Running | Suspended) => "RUNNING",
            (Self::Vault, Cancelling) => "CANCELLING",
            (Self::Vault, Cancelled) => "CANCELLED",
            (Self::Vault, Completed) => "SUCCESS",
            (Self::Vault, Failed) => "ERRORS_ENCOUNTERED",
            (Self::Bulk, Open | Scheduled | Queued) => "scheduled",
            (Self::Ingest, Open) => "Open",
            (Self::Ingest, Scheduled | Queued) => "UploadComplete",
            (Self::Ingest, Running | Suspended) => "InProgress",
            (Self::Ingest, Cancelling | Cancelled) => "Aborted",
            (Self::Ingest, Completed) => "JobComplete",
            (Self::Ingest, Failed) => "Failed",
        }
    }

    /// What a cancel of a job in a state comes to; `started`: whether the job ever ran.
    pub(super) const fn expected(self, state: JobState, started: bool) -> Meaning {
        use JobState::{
            Cancelled, Cancelling, Completed, Failed, Open, Queued, Running, Scheduled, Suspended,
        };
        match (state, self) {
            (Open | Scheduled | Queued | Cancelled, Self::Jobs) if started => Meaning::Refused,
            (Open | Scheduled | Queued, _)
            | (Running | Suspended, Self::Prospecting | Self::Bulk | Self::Ingest)
            | (Cancelling, Self::Vault | Self::Ingest)
            | (Cancelled, Self::Jobs | Self::Ingest) => Meaning::Accepted,
            (Running | Suspended, Self::Jobs | Self::Vault)
            | (Cancelling, Self::Prospecting | Self::Jobs | Self::Bulk)
            | (Cancelled, Self::Prospecting | Self::Vault | Self::Bulk)
            | (Completed | Failed, _) => Meaning::Refused,
        }
    }

    /// What an answer to a cancel comes to.
    pub(super) fn meaning(self, reply: &Reply) -> Meaning {
        match (self, reply.status) {
            (Self::Vault, 200) => vault_meaning(reply),
            (_, 200 | 204) => Meaning::Accepted,
            (Self::Bulk, 400) if reply.json()["details"].get("status").is_some() => {
                Meaning::Refused
            }
            (Self::Jobs, 422) if reply.json()["errors"].get("status").is_none() => {
                Meaning::Malformed
            }
            (_, 400) => Meaning::Malformed,
            (_, 401) => Meaning::Unauthenticated,
            (_, 403) => Meaning::Forbidden,
            (_, 404) => Meaning::Missing,
            (_, 405) => Meaning::WrongMethod,
            (_, 406) => Meaning::NotAcceptable,
            (_, 409 | 422) => Meaning::Refused,
            (_, 413) => Meaning::TooLarge,
            (_, 415) => Meaning::WrongType,
            (_, 429) => Meaning::Limited,
            _ => Meaning::Failed,
        }
    }
}

fn vault_meaning(reply: &Reply) -> Meaning {
    let answer = reply.json();
    let (status, errors) = match answer["data"].get(0) {
        Some(entry) => (&entry["responseStatus"], &entry["errors"]),
        None => (&answer["responseStatus"], &answer["errors"][0]),
    };
    let message = errors["message"].as_str().unwrap_or_default();
    match (
        status.as_str().unwrap(),
        errors["type"].as_str().unwrap_or_default(),
    ) {
        ("SUCCESS", _) => Meaning::Accepted,
        (_, "INVALID_SESSION_ID") => Meaning::Unauthenticated,
        (_, "INSUFFICIENT_ACCESS") => Meaning::Forbidden,
        (_, "API_LIMIT_EXCEEDED") => Meaning::Limited,
        (_, "INVALID_DATA") if message.ends_with("is not found in QUEUED or QUEUEING state") => {
            Meaning::Refused
        }
        (_, "INVALID_DATA") if message.ends_with("is not found") => Meaning::Missing,
        (_, "INVALID_DATA" | "PARAMETER_REQUIRED") => Meaning::Malformed,
        _ => Meaning::Failed,
    }
}
