//! Takes jobs away from workers whose lease has run out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use belay_core::Result;
use belay_core::ops::{self, Rescued};
use belay_core::query;
use belay_metrics::RescueOutcome;

use super::{Context, Duty};
use crate::bell::SWEPT;

const EVERY: Duration = Duration::from_secs(1);
/// Jobs per transaction.
const BATCH: i32 = 500;
/// Most transactions per run.
const MAX_ROUNDS: usize = 100;
/// How long dead workers are remembered, longer than any claim of theirs can still take to commit.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// Every second on one node.
#[derive(Default)]
pub(super) struct Rescue {
    /// Dead workers, and when whole lines are to be looked through for their jobs: at once, and then once per lease for as long as
    /// the worker is remembered, which it is while it holds a job. One that somebody has locked is passed over.
    dead: HashMap<i64, Instant>,
}

impl Duty for Rescue {
    fn name(&self) -> &'static str {
        "rescue"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn run(&mut self, context: &mut Context<'_>) -> Result<Option<String>> {
        if !context.is_due("rescue", EVERY)? {
            return Ok(None);
        }
        let died = context.link.run(|s| s.run(ops::mark_dead))?;
        if !died.is_empty() {
            tracing::warn!(workers = ?died, "the lease of some workers has run out; their jobs are taken away");
        }
        self.look_for_dead(context)?;
        if self.dead.is_empty() {
            return Ok(None);
        }
        let mut all = pass(context, false)?;
        if self.whole_is_due() {
            add(&mut all, pass(context, true)?);
            self.whole_is_done(context.shared.config.lease);
        }
        let forgotten = context
            .link
            .run(|s| s.run(|conn| ops::forget_dead(conn, FORGET_AFTER)))?;
        if all.total() == 0 && died.is_empty() && forgotten == 0 {
            return Ok(None);
        }
        Ok(Some(format!(
            "{} workers died, {forgotten} were forgotten; of their jobs {} were queued again, {} failed, {} were cancelled",
            died.len(),
            all.queued,
            all.failed,
            all.cancelled
        )))
    }
}

impl Rescue {
    /// Brings the list of dead workers up to date.
    fn look_for_dead(&mut self, context: &mut Context<'_>) -> Result<()> {
        let now = Instant::now();
        let workers = context.link.run(|s| s.run(query::workers))?;
        let dead: Vec<i64> = workers
            .iter()
            .filter(|worker| worker.dead_at.is_some())
            .map(|worker| worker.id)
            .collect();
        self.dead.retain(|id, _| dead.contains(id));
        for id in dead {
            self.dead.entry(id).or_insert(now);
        }
        Ok(())
    }

    fn whole_is_due(&self) -> bool {
        let now = Instant::now();
        self.dead.values().any(|next| *next <= now)
    }

    /// One look is for all of them.
    fn whole_is_done(&mut self, lease: Duration) {
        let next = Instant::now() + lease;
        for time in self.dead.values_mut() {
            *time = next;
        }
    }
}

/// Rescues until nothing is left.
fn pass(context: &mut Context<'_>, whole_line: bool) -> Result<Rescued> {
    let mut all = Rescued::default();
    for _ in 0..MAX_ROUNDS {
        let now = context
            .link
            .run(|s| s.tx(|conn| ops::rescue(conn, BATCH, whole_line)))?;
        let metrics = &context.shared.metrics;
        metrics.rescued(RescueOutcome::Queued, now.queued as u64);
        metrics.rescued(RescueOutcome::Failed, now.failed as u64);
        metrics.rescued(RescueOutcome::Cancelled, now.cancelled as u64);
        add(&mut all, now);
        if now.queued > 0 {
            context.shared.bells.dispatcher.ring(SWEPT);
        }
        if now.total() < BATCH as usize {
            break;
        }
    }
    Ok(all)
}

fn add(all: &mut Rescued, more: Rescued) {
    all.queued += more.queued;
    all.failed += more.failed;
    all.cancelled += more.cancelled;
}
