//! What a closure knows of its job, and how it speaks of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::error::JobError;
use super::output::Written;
use super::signal::Signal;
use crate::executors::{Attempt, Control, Progress, Sink, StopCause};

/// One attempt of a job, as its closure sees it. Clones are the same attempt; they may go to other threads and tasks.
#[derive(Clone)]
pub struct JobContext {
    inner: Arc<Inner>,
}

struct Inner {
    job: i64,
    uid: String,
    tenant: i32,
    queue: String,
    kind: String,
    attempt: i16,
    max_attempts: i16,
    fence: i32,
    payload: String,
    sink: Arc<dyn Sink>,
    signal: Arc<Signal>,
    written: Arc<Written>,
}

impl JobContext {
    pub(super) fn new(attempt: Attempt, signal: Arc<Signal>, written: Arc<Written>) -> Self {
        Self {
            inner: Arc::new(Inner {
                job: attempt.job,
                uid: attempt.uid,
                tenant: attempt.tenant,
                queue: attempt.queue,
                kind: attempt.kind,
                attempt: attempt.attempt,
                max_attempts: attempt.max_attempts,
                fence: attempt.fence,
                payload: attempt.payload,
                sink: attempt.sink,
                signal,
                written,
            }),
        }
    }

    /// The job's number.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.inner.job
    }

    /// The job's UUID spelling.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.inner.uid
    }

    /// Number of the tenant that owns the job.
    #[must_use]
    pub fn tenant(&self) -> i32 {
        self.inner.tenant
    }

    /// Queue the job came from.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.inner.queue
    }

    /// Kind of the job.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.inner.kind
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> i16 {
        self.inner.attempt
    }

    /// Attempts allowed in all.
    #[must_use]
    pub fn max_attempts(&self) -> i16 {
        self.inner.max_attempts
    }

    /// Fence of this attempt: a later attempt of the job has a higher one. Whoever receives effects of the job can refuse those
    /// with a lower fence than one it has seen.
    #[must_use]
    pub fn fence(&self) -> i32 {
        self.inner.fence
    }

    /// The payload, JSON text exactly as stored.
    #[must_use]
    pub fn payload(&self) -> &str {
        &self.inner.payload
    }

    /// The payload as a value.
    ///
    /// # Errors
    /// [`JobError::fatal`] when it is not of that shape: it would not be the next time either.
    pub fn payload_as<T: DeserializeOwned>(&self) -> Result<T, JobError> {
        serde_json::from_str(&self.inner.payload).map_err(|error| {
            JobError::fatal(format_args!(
                "the payload is not what {} expects: {error}",
                self.inner.kind
            ))
        })
    }

    /// Whether the work has been told to stop, for whatever reason.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.inner.signal.is_stopped()
    }

    /// Why the work has been told to stop, if it has.
    #[must_use]
    pub fn stop_cause(&self) -> Option<StopCause> {
        self.inner.signal.cause()
    }

    /// For use with `?` between two steps of the work.
    ///
    /// # Errors
    /// [`JobError::stopped`] when the work has been told to stop.
    pub fn check(&self) -> Result<(), JobError> {
        if self.is_cancelled() {
            Err(JobError::stopped())
        } else {
            Ok(())
        }
    }

    /// Waits on this thread until the work is told to stop, at most `timeout`. Answers whether it has been told. In place of a sleep.
    #[must_use]
    pub fn wait_cancelled(&self, timeout: Duration) -> bool {
        self.inner.signal.wait(timeout, Signal::is_stopped)
    }

    /// Waits until the work is told to stop.
    pub async fn cancelled(&self) {
        self.inner
            .signal
            .reached(|now| matches!(now, Control::Stop(_) | Control::Kill(_)))
            .await;
    }

    /// A token that is cancelled when the work is told to stop, for code that takes one.
    #[must_use]
    pub fn cancellation_token(&self) -> CancellationToken {
        self.inner.signal.token.clone()
    }

    /// Whether the work should hold still. Only ever for kinds with [`super::Native::can_suspend`].
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.inner.signal.is_suspended()
    }

    /// Waits until the work should hold still, or stop.
    pub async fn suspended(&self) {
        self.inner.signal.reached(|now| now != Control::Run).await;
    }

    /// Holds the work still for as long as it should be, on this thread; returns at once when it should not.
    ///
    /// # Errors
    /// [`JobError::stopped`] when the work has been told to stop.
    pub fn wait_while_suspended(&self) -> Result<(), JobError> {
        self.inner
            .signal
            .wait(Duration::MAX, |signal| !signal.is_suspended());
        self.check()
    }

    /// As [`JobContext::wait_while_suspended`], for asynchronous code.
    ///
    /// # Errors
    /// [`JobError::stopped`] when the work has been told to stop.
    pub async fn while_suspended(&self) -> Result<(), JobError> {
        self.inner
            .signal
            .reached(|now| now != Control::Suspend)
            .await;
        self.check()
    }

    /// Shows how far the work is: `done` of `total` steps (`None` when nobody knows), and a word to the reader, which may be empty.
    /// Cheap; written with the next heartbeat.
    pub fn progress(&self, done: i64, total: impl Into<Option<i64>>, message: impl AsRef<str>) {
        let message = message.as_ref();
        self.inner.sink.progress(Progress {
            done,
            total: total.into(),
            message: (!message.is_empty()).then(|| message.to_owned()),
        });
    }

    /// Adds a line to the job's standard output. Of each stream the last 64 KiB are kept and readable while the job runs.
    pub fn log(&self, text: impl AsRef<str>) {
        self.inner.written.line(text.as_ref());
    }

    /// Adds bytes to the job's standard output. What is not UTF-8 shows as U+FFFD.
    pub fn output(&self, bytes: impl AsRef<[u8]>) {
        self.inner.written.stdout(bytes.as_ref());
    }

    /// Adds bytes to the job's standard error.
    pub fn error_output(&self, bytes: impl AsRef<[u8]>) {
        self.inner.written.stderr(bytes.as_ref());
    }

    /// The answer of a closure whose job should be run again after `delay` (at least a millisecond), without this attempt being used up.
    ///
    /// # Errors
    /// Always [`JobError::snooze`].
    pub fn snooze(&self, delay: Duration) -> Result<(), JobError> {
        Err(JobError::snooze(delay))
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads may hold what does not belong in a log.
        f.debug_struct("JobContext")
            .field("job", &self.inner.job)
            .field("kind", &self.inner.kind)
            .field("attempt", &self.inner.attempt)
            .field("fence", &self.inner.fence)
            .finish_non_exhaustive()
    }
}
