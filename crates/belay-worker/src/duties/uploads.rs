//! Deletes uploads that a client or a daemon left in the middle. Those whose daemon is alive are deleted at once; this is for the
//! others.

use std::time::Duration;

use belay_core::Result;
use belay_core::ops;

use super::{Context, Duty};

const EVERY: Duration = Duration::from_secs(3600);
/// How long an upload may be silent.
const SILENT: Duration = Duration::from_secs(2 * 3600);
/// What one transaction deletes at most; each may have 150 MB.
const BATCH: i64 = 10;
/// Most transactions per run.
const MAX_ROUNDS: usize = 1000;

/// Hourly on one node.
pub(super) struct Uploads;

impl Duty for Uploads {
    fn name(&self) -> &'static str {
        "uploads"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn run(&mut self, context: &mut Context<'_>) -> Result<Option<String>> {
        if !context.is_due("uploads", EVERY)? {
            return Ok(None);
        }
        let forgotten = in_batches(BATCH, MAX_ROUNDS, || {
            context
                .link
                .run(|s| s.tx(|conn| ops::forget_uploads(conn, SILENT, BATCH)))
        })?;
        Ok(Some(format!(
            "{forgotten} uploads deleted that were left in the middle"
        )))
    }
}

/// Repeats what works on up to `batch` things at a time until there are no more, and answers how many there were.
pub(super) fn in_batches(
    batch: i64,
    most: usize,
    mut act: impl FnMut() -> Result<usize>,
) -> Result<usize> {
    let mut all = 0;
    for _ in 0..most {
        let now = act()?;
        all += now;
        if i64::try_from(now).unwrap_or(i64::MAX) < batch {
            break;
        }
    }
    Ok(all)
}
