//! Starts what was claimed.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use belay_core::backoff::random;
use belay_core::ops::{self, Claimed, Line};
use belay_core::{JobState, id};
use belay_metrics::JobOutcome;

use super::drive::{Limits, attend};
use super::held::HeldJob;
use super::turn::Turn;
use super::verdict::{Circumstances, verdict};
use crate::bell::ROOM;
use crate::executors::{Attempt, Control, Finish, StopCause};
use crate::lease::Registration;
use crate::report::{Batch, Item};
use crate::shared::Shared;
use crate::source::{Source, Weight};

/// Starts claimed jobs of one weight. Light ones that can are run on the spot.
pub(crate) fn start(
    shared: &Arc<Shared>,
    registration: &Arc<Registration>,
    sources: &HashMap<Line, Arc<Source>>,
    weight: Weight,
    jobs: Vec<Claimed>,
) {
    let light = weight == Weight::Light;
    shared.enter(weight, jobs.len());
    let mut strange = 0;
    let mut successes = Vec::with_capacity(if light { jobs.len() } else { 0 });
    let mut others = Vec::new();
    let mut waits = Waits::default();
    for job in jobs {
        let Some(source) = sources.get(&job.line) else {
            // Not possible: only lines with a source are offered. Its lease will end with this worker's.
            tracing::error!(job = job.id, line = ?job.line, "a job was claimed from a line that was not asked for");
            strange += 1;
            continue;
        };
        waits.add(source, job.waited);
        let ended = if light && job.left_s.is_none_or(|left| left > 0.0) {
            on_the_spot(source, &job)
        } else {
            None
        };
        match ended {
            Some(item) if item.is_success() => successes.push(item),
            Some(item) => others.push(item),
            None => spawn(shared, registration, source, weight, job),
        }
    }
    waits.flush();
    shared.leave(weight, strange);
    for items in [successes, others] {
        shared.reports.push(Batch {
            registration: Arc::clone(registration),
            items,
        });
    }
}

/// Seconds waited, counted in one go per line.
#[derive(Default)]
struct Waits {
    source: Option<Arc<Source>>,
    seconds: Vec<f64>,
}

impl Waits {
    fn add(&mut self, source: &Arc<Source>, waited: f64) {
        if !self
            .source
            .as_ref()
            .is_some_and(|last| Arc::ptr_eq(last, source))
        {
            self.flush();
            self.source = Some(Arc::clone(source));
        }
        self.seconds.push(waited);
    }

    fn flush(&mut self) {
        if let Some(source) = self.source.take() {
            source.lane.claimed(&self.seconds);
            self.seconds.clear();
        }
    }
}

fn on_the_spot(source: &Arc<Source>, job: &Claimed) -> Option<Item> {
    let began = Instant::now();
    let executor = &source.kind.executor;
    let finish = match catch_unwind(AssertUnwindSafe(|| executor.run_light(job))) {
        Ok(finish) => finish?,
        Err(panic) => panicked(panic.as_ref()),
    };
    let verdict = match finish {
        Finish::Completed => None,
        finish => Some(Box::new(verdict(
            finish,
            circumstances(source, job.attempt, job.timeout_s, None),
        ))),
    };
    Some(Item {
        key: (job.id, job.fence),
        source: Arc::clone(source),
        verdict,
        ran_s: began.elapsed().as_secs_f64(),
        weight: Weight::Light,
        unsure: false,
        counted: true,
        tries: 0,
        job: None,
    })
}

fn circumstances(
    source: &Source,
    attempt: i16,
    timeout_s: Option<i32>,
    cause: Option<StopCause>,
) -> Circumstances<'_> {
    Circumstances {
        cause,
        attempt,
        timeout_s,
        backoff: &source.kind.backoff,
        random: random(),
    }
}

/// The message of a panic, if it has one.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> Option<String> {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
}

/// What a panic of an executor comes to.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> Finish {
    let error = panic_text(panic).map_or_else(
        || "the executor panicked".to_owned(),
        |message| format!("the executor panicked: {message}"),
    );
    Finish::Failed { error, retry: true }
}

/// Runs an attempt as a task.
fn spawn(
    shared: &Arc<Shared>,
    registration: &Arc<Registration>,
    source: &Arc<Source>,
    weight: Weight,
    claimed: Claimed,
) {
    let key = (claimed.id, claimed.fence);
    let job = Arc::new(HeldJob::new(
        key,
        claimed.attempt,
        Arc::clone(source),
        Arc::clone(registration),
    ));
    if shared.held.add(&job) {
        shared.metrics.cancel_told(0.0);
    }
    let timeout_s = claimed.timeout_s;
    let limits = Limits::new(timeout_s, claimed.left_s);
    if limits.job == Some(Duration::ZERO) {
        // Before its start gate opens.
        job.want(Control::Stop(StopCause::JobTimeout));
    }
    let attempt = Attempt {
        job: claimed.id,
        uid: id::uid(claimed.id, claimed.created_at).to_string(),
        tenant: claimed.tenant,
        queue: claimed.line.queue,
        kind: claimed.line.kind,
        attempt: claimed.attempt,
        max_attempts: claimed.max_attempts,
        fence: claimed.fence,
        worker: registration.id,
        lease: registration.until(),
        payload: claimed.payload,
        control: job.watch(),
        sink: Arc::clone(&job.shown) as Arc<dyn crate::executors::Sink>,
    };
    let shared = Arc::clone(shared);
    let executor = Arc::clone(&source.kind.executor);
    shared.runtime.clone().spawn(async move {
        let began = Instant::now();
        let turn = Turn::of(&shared, weight);
        let finish = attend(executor, attempt, &job, limits, turn).await;
        ended(&shared, &job, finish, began, weight, timeout_s);
    });
}

/// An attempt has ended: hands in its report and makes room.
fn ended(
    shared: &Shared,
    job: &Arc<HeldJob>,
    finish: Finish,
    began: Instant,
    weight: Weight,
    timeout_s: Option<i32>,
) {
    if let Finish::Settled(state) = finish {
        settled(shared, job, state, began, weight);
        return;
    }
    if finish == Finish::Reported {
        // Counted where it is reported; here it only leaves.
        settled(shared, job, JobState::Running, began, weight);
        return;
    }
    let verdict = match finish {
        Finish::Completed => None,
        finish => Some(Box::new(verdict(
            finish,
            circumstances(&job.source, job.attempt, timeout_s, job.cause()),
        ))),
    };
    let heavy = weight == Weight::Heavy;
    if heavy {
        shared.heavy_reports.fetch_add(1, Ordering::AcqRel);
    }
    shared.reports.push(Batch {
        registration: Arc::clone(&job.registration),
        items: vec![Item {
            key: job.key,
            source: Arc::clone(&job.source),
            verdict,
            ran_s: began.elapsed().as_secs_f64(),
            weight,
            unsure: false,
            counted: true,
            tries: 0,
            job: Some(Arc::clone(job)),
        }],
    });
    // After the report: whoever looks for a job finds it here or there.
    shared.held.remove(job.key);
    if heavy {
        shared.leave(weight, 1);
        shared.bells.dispatcher.ring(ROOM);
    }
}

/// An attempt has ended and was reported by its executor: counts it and makes room.
fn settled(shared: &Shared, job: &Arc<HeldJob>, state: JobState, began: Instant, weight: Weight) {
    let outcome = match state {
        JobState::Completed => JobOutcome::Completed,
        JobState::Failed => JobOutcome::Failed,
        JobState::Cancelled => JobOutcome::Cancelled,
        JobState::Open
        | JobState::Scheduled
        | JobState::Queued
        | JobState::Running
        | JobState::Suspended
        | JobState::Cancelling => JobOutcome::Released,
    };
    let ran = [began.elapsed().as_secs_f64()];
    job.source.lane.finished(outcome, &ran);
    if state == JobState::Cancelled
        && let Some(told) = job.cancelled_ago()
    {
        shared
            .metrics
            .cancel_took(ops::Rung::Cooperative, told.as_secs_f64());
    }
    shared.held.remove(job.key);
    shared.leave(weight, 1);
    shared.bells.dispatcher.ring(ROOM);
}
