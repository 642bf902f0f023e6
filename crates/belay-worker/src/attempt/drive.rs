//! One attempt from its start gate to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::held::HeldJob;
use super::start::panicked;
use crate::executors::{Attempt, Control, Executor, Finish, Rung, StopCause};

/// Runs an attempt, watches its time, and answers how it ended. A panic is a failure like any other.
pub(super) async fn attend(
    executor: Arc<dyn Executor>,
    attempt: Attempt,
    job: &HeldJob,
    timeout_s: Option<i32>,
) -> Finish {
    let mut control = job.watch();
    let mut running = tokio::spawn(run(executor, attempt));
    // Time that it is held still does not count.
    let mut left =
        timeout_s.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
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
        Finish::Stopped {
            rung: Rung::Cooperative,
        }
    }
}

/// The start gate: waits while the attempt is held still; `false` when it must not start at all.
async fn may_start(control: &mut watch::Receiver<Control>) -> bool {
    let wanted = control.wait_for(|wanted| *wanted != Control::Suspend).await;
    wanted.is_ok_and(|wanted| *wanted == Control::Run)
}

#[cfg(test)]
mod tests;
