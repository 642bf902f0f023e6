//! Vacuums the hot table when that is worth it: under load its size is set by the time between two vacuums.

use std::time::Duration;

use belay_core::Result;
use belay_core::ops;

use super::{Context, Duty};

const EVERY: Duration = Duration::from_secs(10);

/// Every 10 seconds on one node, outside any transaction.
pub(super) struct Vacuum;

impl Duty for Vacuum {
    fn name(&self) -> &'static str {
        "vacuum"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn run(&mut self, context: &mut Context<'_>) -> Result<Option<String>> {
        if !context.is_due("vacuum", EVERY)? {
            return Ok(None);
        }
        let done = context.link.run(|s| ops::vacuum_if_needed(s.raw()))?;
        Ok(done.then(|| "vacuumed the table of unfinished jobs".to_owned()))
    }
}
