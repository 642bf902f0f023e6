//! `POST /belay/v1/worker/{worker}/claim`

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use belay_core::ops::Claimed;
use tokio::time::{Instant, sleep_until};
use utoipa::ToSchema;

use super::hub::{Got, Remote};
use super::{hub, wire, worker, worker_lost};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb, json};
use crate::native::Problem;

/// Looks that nobody asked for while a claim waits: should everything else fail.
const BACKUP: Duration = Duration::from_secs(5);
/// A claim for some tenants may have to pass over many jobs of others: the next one waits so many times as long as it took.
const REST: u32 = 20;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Worker, |call| {
        Box::pin(claim_jobs(call))
    })
}

/// What is wanted.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"slots": 10, "wait_s": 20}))]
pub(crate) struct ClaimRequest {
    /// Most jobs.
    #[schema(minimum = 1, maximum = 1000)]
    slots: i64,
    /// Seconds to wait when there are none; 0 when left out.
    #[schema(minimum = 0, maximum = 30, required = false)]
    wait_s: f64,
    /// Only these of the queues that were registered.
    queues: Option<Vec<String>>,
    /// Only these of the kinds that were registered.
    kinds: Option<Vec<String>>,
}

impl ClaimRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        let slots = members.needed_within("slots", 1, 1000)?;
        let wait_s = members.seconds("wait_s")?.unwrap_or(0.0);
        if wait_s > 30.0 {
            return Err(Fault::invalid(
                "wait_s",
                format!("wait_s is {wait_s}, it must be from 0 to 30 seconds"),
            ));
        }
        Ok(Self {
            slots,
            wait_s,
            queues: members.texts("queues", 1000)?,
            kinds: members.texts("kinds", 1000)?,
        })
    }
}

/// Claim jobs
///
/// The jobs belong to the worker from then on, until it reports on them or its lease ends. With `wait_s` the answer waits until there is work.
/// Whoever does not get the answer asks for a check with its next heartbeat.
#[utoipa::path(
    post, path = "/belay/v1/worker/{worker}/claim", tag = "worker",
    params(("worker" = i64, Path, description = "Number of the worker", example = 7)),
    request_body = ClaimRequest,
    responses(
        (status = 200, description = "The jobs; none when the time is over", body = wire::Jobs),
        (status = 409, description = "The lease is over (`outcome` is `worker_lost`): stop all work and register anew", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn claim_jobs(mut call: Call) -> Answer {
    call.query(&[])?;
    let worker = worker(&call).await?;
    // Before anything that may take time: what asks for a check meanwhile overtakes this claim.
    let checks = worker.checks();
    let request = call
        .body(MEBIBYTE, Need::Required, ClaimRequest::take)
        .await?;
    let jobs = claim(&call, &worker, checks, &request).await?;
    let metrics = &call.request.api.metrics;
    for line in jobs.chunk_by(|a, b| a.line == b.line) {
        if let Some(first) = line.first() {
            let waited: Vec<f64> = line.iter().map(|job| job.waited).collect();
            metrics.claimed_many(&first.line.queue, &first.line.kind, &waited);
        }
    }
    let jobs = jobs
        .into_iter()
        .map(wire::Job::try_from)
        .collect::<Result<_, _>>()?;
    json(StatusCode::OK, &wire::Jobs { jobs })
}

async fn claim(
    call: &Call,
    worker: &Arc<Remote>,
    mut checks: i32,
    request: &ClaimRequest,
) -> Result<Vec<Claimed>, Fault> {
    let hub = hub(call);
    let serves = Arc::new(
        worker
            .serves()
            .narrowed(request.queues.as_deref(), request.kinds.as_deref()),
    );
    let slots = i32::try_from(request.slots).unwrap_or(1);
    let deadline = Instant::now() + Duration::from_secs_f64(request.wait_s);
    let mut stopping = call.request.api.stopping.subscribe();
    let allowed = call.allowed()?;
    let mut place = None;
    let mut first = true;
    loop {
        let began = Instant::now();
        let waits = deadline > began && place.is_some();
        let (got, slept) = {
            let (shared, worker) = (Arc::clone(hub), Arc::clone(worker));
            let (serves, tenants) = (Arc::clone(&serves), call.grant.tenants.clone());
            hub.sessions
                .run(move |session| {
                    let got = shared.claim(
                        session,
                        &worker,
                        checks,
                        &serves,
                        tenants.as_deref(),
                        slots,
                    )?;
                    let slept = waits
                        && matches!(got, Got::Nothing)
                        && shared.put_to_sleep(session, &worker)?;
                    Ok((got, slept))
                })
                .await?
        };
        match got {
            Got::Jobs(jobs) => return Ok(jobs),
            Got::Lost => return Err(worker_lost(call, worker)),
            // This instance had not heard of an earlier check.
            Got::Overtaken if first => {
                first = false;
                checks = worker.checks();
                continue;
            }
            Got::Overtaken => return Ok(Vec::new()),
            Got::Nothing => first = false,
        }
        let now = Instant::now();
        if now >= deadline || *stopping.borrow() {
            return Ok(Vec::new());
        }
        let Some(place) = &place else {
            // Whatever comes from now on wakes it; what came before is seen by one more claim.
            place = Some(hub.waiting.enter(Arc::clone(&serves)));
            continue;
        };
        if slept {
            // What was committed before it slept sent no notification.
            continue;
        }
        let not_before = if call.grant.tenants.is_some() {
            now + (now - began) * REST
        } else {
            now
        };
        let woken = async {
            sleep_until(not_before).await;
            tokio::select! {
                () = place.woken() => {}
                () = sleep_until(now + BACKUP) => {}
            }
        };
        tokio::select! {
            () = woken => {}
            () = sleep_until(deadline) => return Ok(Vec::new()),
            // An error means that the API is gone, which is as good as stopping.
            _ = stopping.wait_for(|stop| *stop) => return Ok(Vec::new()),
        }
        allowed.check().await?;
    }
}
