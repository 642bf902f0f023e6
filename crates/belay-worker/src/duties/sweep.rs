//! Finds queued jobs that claims have passed over: those whose transaction committed late, and those that somebody held
//! locked and let go.

use std::time::{Duration, Instant};

use belay_core::Result;
use belay_core::floors::plan::{Pass, Plan};
use belay_core::ops;

use super::{Context, Duty};
use crate::bell::SWEPT;

/// What one statement moves at most in one line.
const BATCH: usize = 1000;
/// Most statements per pass.
const MAX_ROUNDS: usize = 20;

/// Up to four times a second on every worker, for its own floors.
pub(super) struct Sweep {
    plan: Plan,
}

impl Sweep {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            plan: Plan::new(now),
        }
    }
}

impl Duty for Sweep {
    fn name(&self) -> &'static str {
        "sweep"
    }

    fn every(&self) -> Duration {
        self.plan.wait(Instant::now())
    }

    fn run(&mut self, context: &mut Context<'_>) -> Result<Option<String>> {
        let now = Instant::now();
        let mark = context.link.run(|s| s.run(ops::sweep_mark))?;
        self.plan.mark(now, mark);
        let mut found = 0;
        while let Some(pass) = self.plan.next(now) {
            let began = Instant::now();
            let n = sweep(context, pass)?;
            let after = context.link.run(|s| s.run(ops::sweep_mark))?;
            let ended = Instant::now();
            self.plan.done(pass, ended, began.elapsed(), n, after);
            self.plan.mark(ended, after);
            found += n;
        }
        Ok((found > 0).then(|| format!("{found} jobs found that claims had passed over")))
    }
}

fn sweep(context: &mut Context<'_>, pass: Pass) -> Result<usize> {
    let shared = context.shared;
    let mut found = 0;
    for _ in 0..MAX_ROUNDS {
        let ranges = shared
            .floors
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .ranges(pass.low());
        if ranges.is_empty() {
            break;
        }
        let lines = context
            .link
            .run(|s| s.run(|conn| ops::sweep(conn, &ranges)))?;
        found += lines.len();
        if !lines.is_empty() {
            shared.metrics.swept(lines.len() as u64);
            shared
                .floors
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .activate(&lines);
            shared.bells.dispatcher.ring(SWEPT);
        }
        if lines.len() < BATCH {
            break;
        }
    }
    Ok(found)
}
