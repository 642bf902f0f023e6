//! What a job *is* when it runs: one file or folder per executor, one trait over all of them.
//!
//! An executor turns one claimed attempt into a [`Finish`]. It does not touch the job: the worker claims before and
//! reports after. The exception is an executor whose effect is in the same database: it reports in the transaction
//! of the effect, through [`belay_core::ops::settle`], and says so ([`Finish::Settled`]). Its duty towards a cancel is to watch [`Attempt::control`] and to
//! return only when nothing of the work is left running.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use belay_core::ops::Claimed;
use belay_core::{Db, JobState};
use tokio::sync::watch;

pub mod builtin;
pub mod bulk;
pub mod command;
pub mod http;
pub mod ingest;
pub mod native;
pub mod sql;

/// What the worker wants of a running attempt. Only ever moves down this list, except that
/// `Suspend` and `Run` alternate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on (or go on again after a suspension).
    Run,
    /// Hold the work still without ending it.
    Suspend,
    /// Stop politely: ask first, then force after the kind's grace period.
    Stop(StopCause),
    /// Stop now, without grace.
    Kill(StopCause),
}

/// Why an attempt is being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// Somebody cancelled the job.
    Cancel,
    /// The attempt ran longer than its timeout.
    Timeout,
    /// The job, over all its attempts, ran longer than its own timeout.
    JobTimeout,
    /// The worker lost (or is about to lose) its lease: the work must not go on here.
    LeaseLost,
    /// The worker is shutting down and the drain period is over.
    Shutdown,
}

/// How far up the ladder a stop had to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// The code saw the request and stopped by itself.
    Cooperative,
    /// A TERM signal ended it.
    Term,
    /// A KILL signal ended it.
    Kill,
}

/// How an attempt ended, as its executor saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// The work is done.
    Completed,
    /// The work failed; `retry` says whether another attempt may help.
    Failed {
        /// One line for the person who reads the job.
        error: String,
        /// `false` ends the job as failed even with attempts left.
        retry: bool,
    },
    /// The work failed, and another attempt makes sense after this time, however long the kind's backoff would wait.
    RetryAfter {
        /// One line for the person who reads the job.
        error: String,
        /// At least a millisecond.
        delay: Duration,
    },
    /// The work was stopped because [`Control`] said so.
    Stopped {
        /// What it took.
        rung: Rung,
    },
    /// The job asks to be run again later without using up an attempt.
    Snoozed {
        /// How long to wait, at least a millisecond.
        delay: Duration,
    },
    /// Somebody else has reported, or will, with the fence of this attempt: the receiver of work that was handed over. There is
    /// nothing for the worker to report.
    Reported,
    /// The executor has reported by itself, in the transaction of the work's effect, and the job is in this state now.
    /// Light attempts ([`Executor::run_light`]) cannot.
    Settled(JobState),
}

/// One attempt, as an executor sees it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The job's number.
    pub job: i64,
    /// The job's UUID spelling.
    pub uid: String,
    /// Number of the tenant that owns the job.
    pub tenant: i32,
    /// Queue the job came from.
    pub queue: String,
    /// Kind of the job.
    pub kind: String,
    /// Which attempt this is, from 1.
    pub attempt: i16,
    /// Attempts allowed in all.
    pub max_attempts: i16,
    /// Fence of this attempt; every claim raises it.
    pub fence: i32,
    /// Number of the worker that holds the job.
    pub worker: i64,
    /// Until when the worker may act without another heartbeat, as time since the machine was started (`CLOCK_BOOTTIME`). Moves
    /// with every heartbeat. For executors whose work goes on while this process is frozen: it must not go on any longer.
    pub lease: watch::Receiver<Duration>,
    /// The payload, JSON text exactly as stored.
    pub payload: String,
    /// What the worker wants; executors must watch it.
    pub control: watch::Receiver<Control>,
    /// Where output and progress go while the attempt runs.
    pub sink: Arc<dyn Sink>,
}

/// Receives what a running attempt has to show. Calls are cheap and never block: the worker keeps the
/// latest value and writes it with its next heartbeat.
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// Replaces the output shown for this attempt.
    fn output(&self, output: Output);
    /// Replaces the progress shown for this job.
    fn progress(&self, progress: Progress);
}

/// Progress of a job: `done` of `total` steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Steps done, from 0.
    pub done: i64,
    /// Steps in all, if known.
    pub total: Option<i64>,
    /// A short word to the reader.
    pub message: Option<String>,
}

/// Output of an attempt so far: the last part of each stream, and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Last bytes of standard output as text: invalid UTF-8 and NUL are replaced by U+FFFD.
    pub stdout: String,
    /// Last bytes of standard error, as above.
    pub stderr: String,
    /// Bytes written to standard output in all, kept or not.
    pub stdout_bytes: i64,
    /// Bytes written to standard error in all, kept or not.
    pub stderr_bytes: i64,
    /// Exit code, when the process ended by itself.
    pub exit_code: Option<i32>,
    /// Signal that ended the process.
    pub signal: Option<i32>,
    /// How long the attempt ran, once it has ended.
    pub ran: Option<Duration>,
}

/// How attempts of a kind are claimed ahead. They take no slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefetch {
    /// Attempts that are claimed and wait for their turn, 1 to 100000. A cancel, a shutdown or a lost lease reaches them there, and none
    /// of their code runs then.
    pub ahead: usize,
    /// Attempts that run at once, 1 to 10000.
    pub at_once: usize,
}

/// The future of a running attempt.
pub type Running = Pin<Box<dyn Future<Output = Finish> + Send>>;

/// A way of running jobs.
pub trait Executor: Send + Sync + std::fmt::Debug {
    /// Called by the worker before it starts, with the database of the jobs. May look at whatever the executor needs, for a few seconds;
    /// what may be there later is no error.
    ///
    /// # Errors
    /// Why the kind can never work as it is configured, as a sentence; the worker does not start then.
    fn attach(&self, db: &Db) -> Result<(), String> {
        let _ = db;
        Ok(())
    }

    /// Starts one attempt. The future must end, and must leave nothing running when it does.
    fn run(&self, attempt: Attempt) -> Running;

    /// Reads what attempts need beside the settings: secrets, certificates. Called when the worker starts, before it registers
    /// anything. May block.
    ///
    /// # Errors
    /// What is missing, in words for the operator that show no secret.
    fn prepare(&self) -> Result<(), String> {
        Ok(())
    }

    /// Whether the attempt can be held still and go on later ([`Control::Suspend`]).
    fn can_suspend(&self) -> bool {
        false
    }

    /// How long a stop may take before it is forced, or counts as overdue where nothing can be forced. `None` when attempts
    /// stop at once.
    fn grace(&self) -> Option<Duration> {
        None
    }

    /// Whether attempts have no effect outside the worker and end at once, so that the worker may claim
    /// them in large batches ahead of their start.
    fn is_light(&self) -> bool {
        false
    }

    /// How many attempts are claimed ahead of their start. `None`, which is right for whatever has effects outside this process:
    /// the claim is the start, and takes a slot. Goes before [`Executor::is_light`].
    fn prefetch(&self) -> Option<Prefetch> {
        None
    }

    /// Runs a light attempt on the spot, without a task of its own. It must end within microseconds and cannot be told to
    /// stop: whoever cancels it meanwhile finds it cancelled all the same. `None` lets [`Executor::run`] run it. Asked
    /// only when [`Executor::is_light`].
    fn run_light(&self, job: &Claimed) -> Option<Finish> {
        let _ = job;
        None
    }
}
