//! One attempt from its start gate to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::held::HeldJob;
use super::start::panicked;
use super::turn::Turn;
use crate::executors::{Attempt, Control, Executor, Finish, Rung, StopCause};

/// Runs an attempt, watches its time, and answers how it ended. A panic is a failure like any other.
pub(super) async fn attend(
    executor: Arc<dyn Executor>,
    attempt: Attempt,
    job: &HeldJob,
    limits: Limits,
    turn: Option<Turn>,
) -> Finish {
    let mut control = job.watch();
    let end_of_job = limits.job.map(|left| Instant::now() + left);
    let _permit = match turn {
        // The time of the attempt begins with its turn.
        Some(turn) => match turn.wait(job, end_of_job).await {
            Some(permit) => Some(permit),
            None => return NEVER_STARTED,
        },
        None => None,
    };
    let mut running = tokio::spawn(run(executor, attempt));
    // Time that it is held still does not count against the attempt; it does against the job.
    let mut left = limits.attempt;
    let mut over = false;
    loop {
        let counts = *control.borrow_and_update() == Control::Run;
        let began = Instant::now();
        tokio::select! {
            biased;
            ended = &mut running => return ended.unwrap_or_else(|error| match error.try_into_panic() {
                Ok(panic) => panicked(panic.as_ref()),
                // The runtime ends, and the task with it.
                Err(_) => Finish::Stopped { rung: Rung::Kill },
            }),
            () = until(end_of_job), if !over => {
                over = true;
                job.want(Control::Stop(StopCause::JobTimeout));
            }
            () = expire(left), if counts => {
                left = None;
                job.want(Control::Stop(StopCause::Timeout));
            }
            // The sender lives in `job`.
            _ = control.changed() => {}
        }
        if counts {
            left = left.map(|left| left.saturating_sub(began.elapsed()));
        }
    }
}

/// How long an attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// This attempt.
    pub(super) attempt: Option<Duration>,
    /// What is left for the whole job.
    pub(super) job: Option<Duration>,
}

impl Limits {
    pub(super) fn new(timeout_s: Option<i32>, left_s: Option<f64>) -> Self {
        Self {
            attempt: timeout_s.map(|s| Duration::from_secs(u64::try_from(s).unwrap_or(0))),
            // What is over, or no number, leaves nothing.
            job: left_s.map(|s| Duration::try_from_secs_f64(s).unwrap_or(Duration::ZERO)),
        }
    }
}

/// What was told to stop before any of its code ran.
const NEVER_STARTED: Finish = Finish::Stopped {
    rung: Rung::Cooperative,
};

pub(super) async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

async fn expire(left: Option<Duration>) {
    match left {
        Some(left) => sleep(left).await,
        None => std::future::pending().await,
    }
}

async fn run(executor: Arc<dyn Executor>, mut attempt: Attempt) -> Finish {
    if may_start(&mut attempt.control).await {
        executor.run(attempt).await
    } else {
        NEVER_STARTED
    }
}

/// The start gate: waits while the attempt is held still; `false` when it must not start at all.
async fn may_start(control: &mut watch::Receiver<Control>) -> bool {
    let wanted = control.wait_for(|wanted| *wanted != Control::Suspend).await;
    wanted.is_ok_and(|wanted| *wanted == Control::Run)
}

#[cfg(test)]
mod tests;
