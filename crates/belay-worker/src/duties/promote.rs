//! Puts scheduled jobs that are due into their lines.

use std::time::Duration;

use belay_core::Result;
use belay_core::ops;

use super::{Context, Duty};
use crate::bell::SWEPT;

/// Jobs per statement.
const BATCH: i32 = 1000;
/// Most statements per run, so that other duties get their turn.
const MAX_ROUNDS: usize = 50;

/// Every 200 ms on every node: rows that another node is promoting are skipped, and an empty look costs nothing.
pub(super) struct Promote;

impl Duty for Promote {
    fn name(&self) -> &'static str {
        "promote"
    }

    fn every(&self) -> Duration {
        Duration::from_millis(200)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Result<Option<String>> {
        let mut promoted = 0;
        for _ in 0..MAX_ROUNDS {
            let now = context
                .link
                .run(|s| s.run(|conn| ops::promote(conn, BATCH)))?;
            promoted += now;
            if now > 0 {
                context.shared.metrics.promoted(now as u64);
                // Also when nobody listens for notifications.
                context.shared.bells.dispatcher.ring(SWEPT);
            }
            if now < BATCH as usize {
                break;
            }
        }
        Ok((promoted > 0).then(|| format!("{promoted} jobs put into their lines")))
    }
}
