//! The dialect `ingest`: a job is made open, gets files of CSV uploaded, and is closed, which loads them, or aborted, which deletes
//! them. `/api/v1/ingest/jobs` and `/services/a360/token`.

mod change;
mod create;
mod delete;
mod docs;
mod fault;
mod get;
mod list;
mod map;
mod token;
mod upload;
mod wire;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use belay_core::id::JobRef;
use belay_core::ops::Via;
use serde::Serialize;

use super::{Area, Dialect};
use crate::auth::{Scope, bearer};
use crate::http::{Call, Face, Fault, Kind, Resource, accepts_plain_json, json};
use crate::service::Caller;

pub(super) use docs::IngestDocument;

/// What every answer of this dialect with a body is, to the letter.
const JSON: &str = "application/json;charset=UTF-8";
/// Where the jobs are.
const BASE: &str = "/api/v1/ingest";
/// The only scope there is.
const SCOPE: Scope = Scope::Ingest;

static FACE: Face = Face {
    via: Via::Ingest,
    render: fault::render,
    accept: accepts_plain_json,
    credential: bearer,
    strict: false,
};

/// Logging in has words of its own for what goes wrong.
static TOKEN_FACE: Face = Face {
    render: fault::render_grant,
    ..FACE
};

pub(super) fn areas() -> Vec<Area> {
    vec![
        Area {
            dialect: Dialect::Ingest,
            face: &FACE,
            base: BASE,
            resources: vec![
                Resource::new("/jobs", vec![create::verb(), list::verb()]),
                Resource::new(
                    "/jobs/{id}",
                    vec![get::verb(), change::verb(), delete::verb()],
                ),
                Resource::new("/jobs/{id}/batches", vec![upload::verb()]),
            ],
            whole: true,
        },
        Area {
            dialect: Dialect::Ingest,
            face: &TOKEN_FACE,
            base: "/services/a360",
            resources: vec![Resource::new("/token", vec![token::verb()])],
            whole: false,
        },
        // Whatever else lies there is unknown in the words of this dialect.
        Area {
            dialect: Dialect::Ingest,
            face: &FACE,
            base: "/services/a360",
            resources: Vec::new(),
            whole: true,
        },
    ]
}

/// An answer in the media type of this dialect.
fn answer(status: StatusCode, value: &impl Serialize) -> Result<HttpResponse, Fault> {
    let mut answer = json(status, value)?;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    Ok(answer)
}

/// Who asks, and the job the path names. Whatever is no UUID names no job.
async fn asked(call: &Call) -> Result<(Caller, JobRef), Fault> {
    let query = call.query(&["tenant"])?;
    let caller = call.caller(&query).await?;
    let job = call.request.part("id").parse().ok();
    match job.filter(JobRef::is_uid) {
        Some(job) => Ok((caller, job)),
        None => Err(unknown(call)),
    }
}

fn unknown(call: &Call) -> Fault {
    let shown: String = call.request.part("id").chars().take(60).collect();
    Fault::not_found(format!("there is no job {shown:?}"))
}

/// A fault about the job of the path, in the spelling of whoever asked.
fn about(call: &Call) -> impl Fn(Fault) -> Fault {
    let unknown = unknown(call);
    move |fault| match fault.kind {
        Kind::NotFound => unknown.clone(),
        _ => fault,
    }
}
