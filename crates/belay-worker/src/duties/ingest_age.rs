//! Aborts ingest jobs that nobody closed, or that nobody ran, for too long. Their data goes with them.

use std::time::Duration;

use belay_core::{Error, Result, ops};

use super::{Context, Duty};
use crate::shared::Phase;

const EVERY: Duration = Duration::from_secs(600);
/// Most jobs per run.
const MOST: i64 = 10_000;

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
        let old = context
            .link
            .run(|s| s.run(|conn| ops::old_ingest(conn, age, MOST)))?;
        let mut aborted = 0;
        for id in old {
            if context.shared.phase.now() != Phase::Work {
                break;
            }
            let outcome = context
                .link
                .run(|s| s.tx(|conn| ops::expire_ingest(conn, age, id)));
            match outcome {
                Ok(done) => aborted += usize::from(done),
                Err(error @ Error::Unreachable(_)) => return Err(error),
                // The others must not wait for it.
                Err(error) => {
                    tracing::warn!(job = id, %error, "an ingest job that waited too long could not be aborted; it is tried again");
                }
            }
        }
        Ok(Some(format!(
            "{aborted} ingest jobs aborted that waited too long"
        )))
    }
}
