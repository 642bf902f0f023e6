//! Takes note of the usual lines of kinds once their first job has made them.

use std::time::Duration;

use belay_core::Result;
use belay_core::ops;

use super::{Context, Duty};

/// Every 5 seconds on every node: an empty look reads a few rows and writes nothing.
pub(super) struct Lines;

impl Duty for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Result<Option<String>> {
        let noted = context.link.run(|s| s.run(ops::note_lines))?;
        Ok((noted > 0).then(|| format!("{noted} kinds have a line now")))
    }
}
