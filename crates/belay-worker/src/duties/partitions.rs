//! Prepares the partitions that jobs will finish into.

use std::time::Duration;

use belay_core::Result;
use belay_core::ops;

use super::{Context, Duty};

/// Days prepared ahead.
const DAYS: i32 = 14;

/// At the start of every node, then hourly on one.
#[derive(Default)]
pub(super) struct Partitions {
    started: bool,
}

impl Duty for Partitions {
    fn name(&self) -> &'static str {
        "partitions"
    }

    fn every(&self) -> Duration {
        // Not prepared yet: without today's partition no job can finish.
        Duration::from_secs(if self.started { 3600 } else { 1 })
    }

    fn run(&mut self, context: &mut Context<'_>) -> Result<Option<String>> {
        let due = context.is_due("partitions", Duration::from_secs(3600))?;
        if self.started && !due {
            return Ok(None);
        }
        let made = context
            .link
            .run(|s| s.run(|conn| ops::ensure_partitions(conn, DAYS)))?;
        self.started = true;
        Ok(Some(format!(
            "{made} partitions made; {DAYS} days are prepared"
        )))
    }
}
