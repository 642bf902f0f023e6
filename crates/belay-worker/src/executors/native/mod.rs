//! The `native` executor: jobs that are closures of the program that embeds the worker.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use belay_worker::Worker;
//! use belay_worker::executors::native::{JobContext, JobError, Native};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Letter {
//!     to: Vec<String>,
//! }
//!
//! fn send(job: &JobContext) -> Result<(), JobError> {
//!     let letter: Letter = job.payload_as()?;
//!     for (sent, to) in letter.to.iter().enumerate() {
//!         job.check()?;
//!         job.log(format!("to {to}"));
//!         job.progress(sent as i64 + 1, letter.to.len() as i64, to);
//!     }
//!     Ok(())
//! }
//!
//! # fn main() -> Result<(), belay_worker::WorkerError> {
//! let worker = Worker::builder()
//!     .database("postgres://localhost/belay")
//!     .name("mailer")
//!     .queues(["mail"])
//!     .slots(16)
//!     .kind(Native::sync("mail.send", |job| send(&job)).queue("mail").max_attempts(3))
//!     .kind(
//!         Native::asynchronous("mail.fetch", |job| async move {
//!             tokio::select! {
//!                 () = job.cancelled() => Err(JobError::stopped()),
//!                 () = tokio::time::sleep(Duration::from_secs(5)) => Ok(()),
//!             }
//!         })
//!         .queue("mail")
//!         .timeout(Duration::from_secs(60)),
//!     )
//!     .start()?;
//! worker.run_until_terminated()?;
//! # Ok(())
//! # }
//! ```
//!
//! # How a closure ends
//! `Ok` completes the job; an error through `?`, a [`JobError::failed`] and a panic fail the attempt, and another one follows while there
//! are attempts left; [`JobError::fatal`] fails the job; [`JobError::retry_after`] and [`JobError::snooze`] say when to run it again, the
//! latter without using up the attempt.
//!
//! # How a closure is stopped
//! It is told, and has to look: [`JobContext::check`] or [`JobContext::wait_cancelled`] in synchronous code,
//! [`JobContext::cancelled`] or [`JobContext::cancellation_token`] in asynchronous code. It answers [`JobError::stopped`]. What it
//! answers instead after a cancel is kept as evidence, and the job ends as cancelled all the same.
//!
//! One that goes on after its grace period ([`Native::grace`], 10 s):
//! - An asynchronous closure is aborted: its future is dropped at the `.await` where it stands. The rung on record is `kill`.
//! - A synchronous closure cannot be stopped by anybody, nor can a future that does not reach an `.await`. The job honestly stays `cancelling`
//!   and counts as overdue in the metrics once another lease has passed; a warning is logged, and the job's standard error
//!   says since when it has been told. It ends when the closure returns.
//!
//! When the worker has lost its lease, its closures are told to stop and the asynchronous ones are aborted at once. A synchronous one
//! may go on beside the next attempt, which runs elsewhere: its report is stale by its fence and is refused, but what it does outside
//! is not undone. Pass [`JobContext::fence`] along, so that whoever receives the effects can refuse them as well.
//!
//! Only the closure itself is watched: what it spawns and does not wait for is not stopped with it.
//!
//! # Where it runs
//! Asynchronous closures are tasks on the worker's own runtime; one that blocks its thread holds up others. Synchronous ones have a
//! thread each, from a pool as large as the slots. Without [`Native::prefetch`] the claim is the start, and takes a slot.

mod context;
mod error;
mod kind;
mod output;
mod run;
mod signal;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{Attempt, Executor, Prefetch, Running};
pub use context::JobContext;
pub use error::JobError;
pub use kind::Native;

type JobFuture = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

/// The closure of a kind.
#[derive(Clone)]
enum Code {
    Sync(Arc<dyn Fn(JobContext) -> Result<(), JobError> + Send + Sync>),
    Async(Arc<dyn Fn(JobContext) -> JobFuture + Send + Sync>),
}

/// Runs the closure of one kind.
struct NativeExecutor {
    code: Code,
    grace: Duration,
    can_suspend: bool,
    prefetch: Option<Prefetch>,
}

impl fmt::Debug for NativeExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeExecutor")
            .field("grace", &self.grace)
            .field("can_suspend", &self.can_suspend)
            .field("prefetch", &self.prefetch)
            .finish_non_exhaustive()
    }
}

impl Executor for NativeExecutor {
    fn run(&self, attempt: Attempt) -> Running {
        Box::pin(run::run(self.code.clone(), self.grace, attempt))
    }

    fn can_suspend(&self) -> bool {
        self.can_suspend
    }

    fn grace(&self) -> Option<Duration> {
        Some(self.grace)
    }

    fn prefetch(&self) -> Option<Prefetch> {
        self.prefetch
    }
}
