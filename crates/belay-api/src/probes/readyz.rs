//! `GET /readyz`

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use belay_core::{Db, Error, migrate, query};
use serde::Serialize;
use utoipa::ToSchema;

use crate::blocking;
use crate::health::{Check, Health};
use crate::http::{Answer, Request, Verb, json};

/// How long the database may take. Whoever asks must not wait longer for a database that hangs than for one that is away.
const DEADLINE: Duration = Duration::from_secs(5);

pub(super) fn verb() -> Verb {
    Verb::open(Method::GET, |request| Box::pin(get_readyz(request)))
}

/// Whether the daemon can do its work.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"status": "ok", "checks": [
    {"name": "database", "ok": true, "detail": null}, {"name": "schema", "ok": true, "detail": null},
    {"name": "partitions", "ok": true, "detail": null}, {"name": "worker", "ok": true, "detail": null}
]}))]
pub(crate) struct Readiness {
    /// `ok`, or `failing` when a check failed.
    status: &'static str,
    checks: Vec<CheckResult>,
}

/// One thing that was looked at.
#[derive(Serialize, ToSchema)]
pub(crate) struct CheckResult {
    name: String,
    ok: bool,
    /// What is wrong.
    detail: Option<String>,
}

/// Can the daemon do its work
///
/// Looks at the database, its schema, the partitions for tomorrow, and what the program around the API adds.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, description = "All checks passed", body = Readiness),
        (status = 503, description = "At least one failed", body = Readiness),
    ),
)]
pub(crate) async fn get_readyz(request: Request) -> Answer {
    let api = &request.api;
    let asked = request.database(|db| Ok(database(db)));
    let mut checks = match tokio::time::timeout(DEADLINE, asked).await {
        Ok(Ok(checks)) => checks,
        // It was not even asked.
        Ok(Err(_)) => vec![Check::failed("database", "too many requests wait for it")],
        Err(_) => vec![Check::failed(
            "database",
            format!("it has not answered within {} s", DEADLINE.as_secs()),
        )],
    };
    let health = api.health.clone();
    match blocking::compute(move || host(&health)).await {
        Ok(more) => checks.extend(more),
        Err(_) => checks.push(Check::failed("host", "a check of the host panicked")),
    }
    let ok = checks.iter().all(|check| check.ok);
    let (status, word) = if ok {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "failing")
    };
    let checks = checks
        .into_iter()
        .map(|check| CheckResult {
            name: check.name,
            ok: check.ok,
            detail: check.detail,
        })
        .collect();
    json(
        status,
        &Readiness {
            status: word,
            checks,
        },
    )
}

fn host(health: &[Arc<dyn Health>]) -> Vec<Check> {
    health.iter().flat_map(|health| health.checks()).collect()
}

fn database(db: &Db) -> Vec<Check> {
    let looked = db.read(|conn| {
        // The first of the questions that reaches the database says whether it can be reached.
        let prepared = query::tomorrow_is_prepared(conn)?;
        Ok((prepared, migrate::check(conn)))
    });
    match looked {
        Ok((prepared, schema)) => vec![
            Check::ok("database"),
            match schema {
                Ok(()) => Check::ok("schema"),
                Err(error) => Check::failed("schema", error.to_string()),
            },
            if prepared {
                Check::ok("partitions")
            } else {
                Check::failed(
                    "partitions",
                    "tomorrow's partitions are missing; a worker makes them while one runs",
                )
            },
        ],
        Err(error) => {
            tracing::warn!(%error, "the daemon is not ready");
            let words = match error {
                Error::Busy(_) => "all connections are in use",
                _ => "it cannot be reached",
            };
            vec![Check::failed("database", words)]
        }
    }
}
