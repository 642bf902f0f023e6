//! `POST /belay/v1/worker/register`

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use belay_core::ops::remote::{EXECUTOR, Registration};
use belay_core::ops::{KindSpec, NewWorker};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::hub;
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb, json};
use crate::native::Problem;
use crate::service;

/// The lease of a worker that names none.
const LEASE_S: i64 = 15;
/// Heartbeats that fit into a lease.
const BEATS: f64 = 5.0;
const YEAR_S: i64 = 31_536_000;
/// The longest time a kind can give its jobs to stop.
const MAX_GRACE_S: f64 = 604_800.0;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Worker, |call| {
        Box::pin(register_worker(call))
    })
}

/// A worker that begins.
#[derive(Debug, ToSchema)]
#[schema(as = WorkerRequest, example = json!({
    "name": "mailer-1", "kinds": ["mail", {"name": "newsletter", "queue": "slow", "timeout_s": 600, "grace_s": 10}], "slots": 20, "lease_s": 15
}))]
pub(crate) struct RegisterRequest {
    /// A name for people, 1 to 200 characters.
    name: String,
    /// The kinds of jobs it can run, 1 to 1000, each by its name, or with what is registered for it when it is new.
    #[schema(value_type = Vec<KindRequest>, min_items = 1, max_items = 1000)]
    kinds: Vec<KindSpec>,
    /// Queues it serves; all when left out.
    queues: Option<Vec<String>>,
    /// Jobs it runs at once.
    #[schema(minimum = 1, maximum = 10_000)]
    slots: i64,
    /// Seconds it may be silent before its jobs go to others; 15 when left out.
    #[schema(minimum = 1, maximum = 3600, required = false)]
    lease_s: i64,
    /// The machine.
    host: Option<String>,
    /// Process number there.
    pid: Option<i64>,
    /// Version of the program.
    version: Option<String>,
}

/// A kind of jobs, with what a job gets that does not say. Instead of an object the name alone will do. Of a kind that is known
/// nothing is changed.
#[derive(Debug, ToSchema)]
#[schema(as = WorkerKind)]
pub(crate) struct KindRequest {
    /// 1 to 100 letters, digits and `._:-`.
    #[expect(dead_code, reason = "only for the document")]
    name: String,
    /// The queue; `default` when left out.
    #[expect(dead_code, reason = "only for the document")]
    queue: Option<String>,
    /// From 0 (first) to 9 (last); 5 when left out.
    #[schema(minimum = 0, maximum = 9)]
    #[expect(dead_code, reason = "only for the document")]
    priority: Option<i16>,
    /// Attempts in all; 5 when left out.
    #[schema(minimum = 1, maximum = 1000)]
    #[expect(dead_code, reason = "only for the document")]
    max_attempts: Option<i16>,
    /// Seconds an attempt may take.
    #[schema(minimum = 1, maximum = 31_536_000)]
    #[expect(dead_code, reason = "only for the document")]
    timeout_s: Option<i32>,
    /// Seconds a job may take from its first start.
    #[schema(minimum = 1, maximum = 31_536_000)]
    #[expect(dead_code, reason = "only for the document")]
    job_timeout_s: Option<i32>,
    /// Whether running jobs can be held still.
    #[expect(dead_code, reason = "only for the document")]
    can_suspend: Option<bool>,
    /// Seconds a running job may take to stop.
    #[schema(minimum = 0, maximum = 604_800)]
    #[expect(dead_code, reason = "only for the document")]
    grace_s: Option<f64>,
}

/// A worker that was registered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WorkerRegistered, example = json!({"worker": 7, "lease_s": 15, "beat_s": 3.0, "kinds": ["mail", "newsletter"]}))]
pub(crate) struct Registered {
    /// Its number.
    worker: i64,
    /// Seconds it may be silent.
    lease_s: i64,
    /// Seconds between its heartbeats.
    beat_s: f64,
    /// Kinds of which it gets jobs.
    kinds: Vec<String>,
}

impl RegisterRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        let kinds = members.needed_list("kinds", 1000)?;
        if kinds.is_empty() {
            return Err(Fault::invalid(
                "kinds",
                "kinds is empty; name the kinds of jobs that the worker runs",
            ));
        }
        let kinds: Vec<KindSpec> = kinds
            .into_iter()
            .enumerate()
            .map(|(i, raw)| kind(i, raw))
            .collect::<Result<_, _>>()?;
        let mut names: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
        names.sort_unstable();
        if let Some([twice, _]) = names.windows(2).find(|pair| pair.first() == pair.last()) {
            return Err(Fault::invalid(
                "kinds",
                format!("kinds names {twice:?} twice"),
            ));
        }
        let name = members.needed_text("name")?;
        if !(1..=200).contains(&name.chars().count()) {
            return Err(Fault::invalid(
                "name",
                format!(
                    "name has {} characters, it must have 1 to 200",
                    name.chars().count()
                ),
            ));
        }
        let queues = members.texts("queues", 1000)?;
        for queue in queues.iter().flatten() {
            check_name("queues", "queue", queue)?;
        }
        Ok(Self {
            name,
            kinds,
            queues,
            slots: members.needed_within("slots", 1, 10_000)?,
            lease_s: members.within("lease_s", 1, 3600)?.unwrap_or(LEASE_S),
            host: short(members, "host")?,
            pid: members.within("pid", 0, i64::from(i32::MAX))?,
            version: short(members, "version")?,
        })
    }
}

fn short(members: &mut Members<'_>, name: &'static str) -> Result<Option<String>, Fault> {
    let text = members.text(name)?;
    match text.as_ref().map(|text| text.chars().count()) {
        Some(n) if n > 200 => Err(Fault::invalid(
            name,
            format!("{name} has {n} characters, at most 200 are allowed"),
        )),
        _ => Ok(text),
    }
}

fn check_name(path: &str, what: &str, name: &str) -> Result<(), Fault> {
    let fits = (1..=100).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b));
    if fits {
        return Ok(());
    }
    Err(Fault::invalid(
        path,
        format!(
            "{path}: no {what} can be named {:?}: a name has 1 to 100 letters, digits and . _ : - and begins with a letter or digit",
            crate::http::shorten(name)
        ),
    ))
}

fn kind(i: usize, raw: &RawValue) -> Result<KindSpec, Fault> {
    let place = format!("kinds[{i}]");
    if raw.get().starts_with('"') {
        let name: String = serde_json::from_str(raw.get())
            .map_err(|e| Fault::invalid(&place, format!("{place} cannot be read: {e}")))?;
        check_name(&place, "kind", &name)?;
        return Ok(KindSpec::new(name, EXECUTOR));
    }
    let mut members = Members::of(raw.get(), &place)?;
    let name = members.needed_text("name")?;
    check_name(&format!("{place}.name"), "kind", &name)?;
    let mut spec = KindSpec::new(name, EXECUTOR);
    if let Some(queue) = members.text("queue")? {
        check_name(&format!("{place}.queue"), "queue", &queue)?;
        spec.queue = queue;
    }
    let small = |value: i64| i16::try_from(value).unwrap_or(i16::MAX);
    let seconds = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
    if let Some(priority) = members.within("priority", 0, 9)? {
        spec.priority = small(priority);
    }
    if let Some(attempts) = members.within("max_attempts", 1, 1000)? {
        spec.max_attempts = small(attempts);
    }
    spec.timeout_s = members.within("timeout_s", 1, YEAR_S)?.map(seconds);
    spec.job_timeout_s = members.within("job_timeout_s", 1, YEAR_S)?.map(seconds);
    spec.can_suspend = members.flag("can_suspend")?;
    let grace = members.seconds("grace_s")?;
    if let Some(long) = grace.filter(|grace| *grace > MAX_GRACE_S) {
        let path = format!("{place}.grace_s");
        return Err(Fault::invalid(
            &path,
            format!("{path} is {long}, it must be at most {MAX_GRACE_S} (7 days)"),
        ));
    }
    spec.grace = grace.map(Duration::from_secs_f64);
    members.end()?;
    Ok(spec)
}

/// Register a worker
///
/// It belongs to the API key that registers it, and gets jobs of the tenants of that key. A kind that is new is registered with the executor
/// `remote`.
#[utoipa::path(
    post, path = "/belay/v1/worker/register", tag = "worker",
    request_body = RegisterRequest,
    responses(
        (status = 201, description = "It was registered", body = Registered),
        (status = 409, description = "The daemon runs one of these kinds itself; nothing was registered", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn register_worker(mut call: Call) -> Answer {
    call.query(&[])?;
    let request = call
        .body(MEBIBYTE, Need::Required, RegisterRequest::take)
        .await?;
    let kinds: Vec<String> = request.kinds.iter().map(|kind| kind.name.clone()).collect();
    let lease_s = request.lease_s;
    let new = Registration {
        worker: NewWorker {
            name: request.name,
            host: request.host.unwrap_or_default(),
            pid: request
                .pid
                .and_then(|pid| pid.try_into().ok())
                .unwrap_or_default(),
            version: request.version.unwrap_or_default(),
            queues: request.queues,
            kinds: kinds.clone(),
            slots: u32::try_from(request.slots).unwrap_or(1),
            lease: Duration::from_secs(u64::try_from(lease_s).unwrap_or(0)),
        },
        kinds: request.kinds,
        key: call.grant.name.clone(),
        tenants: call.grant.tenants.clone(),
    };
    // So that its threads run when the first claim comes.
    hub(&call);
    let worker = call
        .request
        .database(move |db| service::remote::register(db, &new))
        .await?;
    json(
        StatusCode::CREATED,
        &Registered {
            worker,
            lease_s,
            beat_s: lease_s as f64 / BEATS,
            kinds,
        },
    )
}
