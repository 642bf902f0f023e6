//! The thread that owns the runtime and brings a worker to its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::executors::{Control, StopCause};
use crate::shared::{Phase, Shared};

/// How long jobs that were told to stop at the end of the drain period may take before they are killed. The grace periods
/// of their kinds run within.
const STOP: Duration = Duration::from_secs(30);
/// How long jobs that were killed may take to end.
const KILL: Duration = Duration::from_secs(5);
/// How long reports are tried to be delivered at the end of a drain, and after a hard stop.
const REPORTS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));
/// How long a thread may take to notice that it is over.
const THREADS: Duration = Duration::from_secs(5);
/// How often the phase is looked at while jobs are waited for.
const LOOK: Duration = Duration::from_millis(20);

/// Waits for the end of the worker and sees it through.
pub(crate) fn run(shared: &Arc<Shared>, runtime: tokio::runtime::Runtime) {
    shared.phase.wait_for(Phase::Drain, Duration::MAX);
    let began = Instant::now();
    tracing::info!(
        worker = shared.current().id,
        running = shared.held.len(),
        "the worker claims nothing more"
    );
    // After this nothing new can begin here. It takes as long as a claim that is under way.
    shared
        .crew
        .wait(Some("dispatcher"), Duration::from_secs(15));
    let all_ended = wait_for_jobs(shared, began);
    let hard = shared.phase.now() >= Phase::Stop;
    let patience = if hard { REPORTS.1 } else { REPORTS.0 };
    let all_reported = shared.reports.wait_settled(patience);
    if !all_reported {
        tracing::warn!(
            "some reports could not be delivered; their jobs will be run again by another worker"
        );
    }
    if !all_ended {
        tracing::error!(
            running = shared.held.len(),
            "some jobs do not end; their lease is left to run out, so that nobody else starts them too early"
        );
    }
    // Suspended jobs are still held, but nothing of them runs here: the end of the lease puts them back into their line.
    shared.clean_end.store(all_ended, Ordering::Release);
    shared.advance(Phase::Closing);
    shared.reports.close();
    let late = shared.crew.wait(None, THREADS);
    if !late.is_empty() {
        tracing::warn!(threads = ?late, "some threads of the worker are still busy; they end by themselves");
    }
    runtime.shutdown_timeout(Duration::from_secs(1));
    shared.advance(Phase::Gone);
}

/// Sees to it that nothing runs here any more; `false` when something still does.
fn wait_for_jobs(shared: &Shared, began: Instant) -> bool {
    let drained = began.checked_add(shared.config.drain);
    if wait_until(shared, drained) {
        return true;
    }
    if shared.phase.now() < Phase::Stop {
        tell(shared, Control::Stop(StopCause::Shutdown));
        if wait_until(shared, Instant::now().checked_add(STOP)) {
            return true;
        }
    }
    tell(shared, Control::Kill(StopCause::Shutdown));
    shared.held.wait_empty(KILL)
}

/// Waits until nothing runs here, `deadline` has passed, or somebody wants a hard stop; answers whether nothing runs.
fn wait_until(shared: &Shared, deadline: Option<Instant>) -> bool {
    loop {
        let left = deadline.map_or(LOOK, |d| d.saturating_duration_since(Instant::now()));
        let over = left.is_zero() || shared.phase.now() >= Phase::Stop;
        if shared
            .held
            .wait_empty(if over { Duration::ZERO } else { left.min(LOOK) })
        {
            return true;
        }
        if over {
            return false;
        }
    }
}

fn tell(shared: &Shared, wanted: Control) {
    for job in shared.held.all() {
        job.want(wanted);
    }
}
