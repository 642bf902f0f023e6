//! Aborts ingest jobs that nobody closed, or that nobody ran, for too long. Their data goes with them.

use std::time::Duration;

use belay_core::Result;
use belay_core::ops;

use super::uploads::in_batches;
use super::{Context, Duty};

const EVERY: Duration = Duration::from_secs(600);
/// What one transaction aborts at most; each may have gigabytes, whose deletion takes a while.
const BATCH: i64 = 1;
/// Most transactions per run.
const MAX_ROUNDS: usize = 10_000;

/// Every ten minutes on one node.
pub(super) struct IngestAge;

impl Duty for IngestAge {
    fn name(&self) -> &'static str {
        "ingest_age"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn run(&mut self, context: &mut Context<'_>) -> Result<Option<String>> {
        if !context.is_due("ingest_age", EVERY)? {
            return Ok(None);
        }
        let age = context.shared.config.ingest_max_age;
        let aborted = in_batches(BATCH, MAX_ROUNDS, || {
            context
                .link
                .run(|s| s.tx(|conn| ops::expire_ingest(conn, age, BATCH)))
        })?;
        Ok(Some(format!(
            "{aborted} ingest jobs aborted that waited too long"
        )))
    }
}
