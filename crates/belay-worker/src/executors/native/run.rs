//! Runs a closure, tells it what is wanted, and says so when it does not listen.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::context::JobContext;
use super::error::JobError;
use super::output::{Showing, Written};
use super::signal::Signal;
use super::{Code, JobFuture};
use crate::attempt::panic_text;
use crate::executors::{Attempt, Control, Finish, Rung};

/// How long a future that was aborted may take to be dropped before that is said.
const ABORT: Duration = Duration::from_secs(1);
/// Least time between two words about one closure that goes on.
const REMIND: Duration = Duration::from_secs(10);

pub(super) async fn run(code: Code, grace: Duration, attempt: Attempt) -> Finish {
    let mut control = attempt.control.clone();
    let sink = Arc::clone(&attempt.sink);
    let signal = Arc::new(Signal::new(attempt.control.clone()));
    let written = Arc::new(Written::new());
    let job = JobContext::new(attempt, Arc::clone(&signal), Arc::clone(&written));
    let end = End(&signal);
    let mut work = Work::start(code, job.clone());
    let mut stop: Option<Stop> = None;
    let mut showing = Showing::default();
    let result = loop {
        tokio::select! {
            biased;
            // Whoever would change it is gone: so is the worker.
            Ok(()) = control.changed() => {
                let wanted = *control.borrow_and_update();
                signal.announce();
                let now = Instant::now();
                match wanted {
                    Control::Run | Control::Suspend => {}
                    Control::Stop(_) => {
                        stop.get_or_insert(Stop::new(now, now + grace));
                    }
                    Control::Kill(_) => stop.get_or_insert(Stop::new(now, now)).next = now,
                }
            }
            ended = &mut work.task => break ended,
            () = next(stop.as_ref()) => {
                if let Some(stop) = &mut stop {
                    stop.step(&mut work, &job, &written);
                }
            }
            () = showing.step(&written, sink.as_ref()) => {}
        }
    };
    drop(end);
    showing.finish(&written, sink.as_ref());
    match result {
        Ok(Ok(())) => Finish::Completed,
        Ok(Err(error)) => error.into_finish(signal.cause().is_some()),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => Finish::Failed {
                error: panic_text(panic.as_ref())
                    .map_or_else(|| "panicked".into(), |text| format!("panicked: {text}")),
                retry: true,
            },
            // It was aborted, here or with its runtime.
            Err(_) => Finish::Stopped { rung: Rung::Kill },
        },
    }
}

/// Ends the signal, however the attempt ends.
struct End<'a>(&'a Signal);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The closure at work.
struct Work {
    task: JoinHandle<Result<(), JobError>>,
    /// Whether it can be aborted while it runs.
    asynchronous: bool,
}

impl Work {
    fn start(code: Code, job: JobContext) -> Self {
        match code {
            Code::Sync(run) => Self {
                task: tokio::task::spawn_blocking(move || {
                    // It may have waited for its thread.
                    job.check()?;
                    run(job)
                }),
                asynchronous: false,
            },
            Code::Async(run) => Self {
                // Made within the task, so that a panic of the closure itself is one of the job.
                task: tokio::spawn(async move {
                    let running: JobFuture = run(job);
                    running.await
                }),
                asynchronous: true,
            },
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // Nothing goes on behind the back of a worker that has dropped the attempt.
        self.task.abort();
    }
}

/// A stop under way.
struct Stop {
    told: Instant,
    /// When something has to be done or said.
    next: Instant,
    aborted: bool,
    warned: bool,
}

impl Stop {
    fn new(told: Instant, next: Instant) -> Self {
        Self {
            told,
            next,
            aborted: false,
            warned: false,
        }
    }

    fn step(&mut self, work: &mut Work, job: &JobContext, written: &Written) {
        let now = Instant::now();
        if work.asynchronous && !self.aborted {
            self.aborted = true;
            work.task.abort();
            self.next = now + ABORT;
            return;
        }
        let since = now.saturating_duration_since(self.told);
        let words = format!(
            "belay: told to stop {} s ago and still running\n",
            since.as_secs()
        );
        written.stderr(words.as_bytes());
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(
                job = job.id(),
                kind = job.kind(),
                fence = job.fence(),
                seconds = since.as_secs(),
                "a job was told to stop and goes on beyond its grace period; its code must look at its cancellation token"
            );
        }
        // The older, the rarer.
        self.next = now + since.max(REMIND);
    }
}

async fn next(stop: Option<&Stop>) {
    match stop {
        Some(stop) => sleep_until(stop.next).await,
        None => std::future::pending().await,
    }
}
