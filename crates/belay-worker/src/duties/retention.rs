//! Drops partitions of finished jobs and of the record that are older than they are kept.

use std::time::Duration;

use belay_core::{Result, ops, query};

use super::{Context, Duty};

const EVERY: Duration = Duration::from_secs(3600);

/// Hourly on one node. Uses a connection outside any transaction; a run that was interrupted is finished by the next.
pub(super) struct Retention;

impl Duty for Retention {
    fn name(&self) -> &'static str {
        "retention"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn run(&mut self, context: &mut Context<'_>) -> Result<Option<String>> {
        if !context.is_due("retention", EVERY)? {
            return Ok(None);
        }
        let keep = context.shared.config.retention;
        // The database's clock: one of ours that is wrong must not drop what it takes for old.
        let dropped = context.link.run(|s| {
            let now = query::now(s.raw())?;
            ops::drop_partitions(s.raw(), now, keep.jobs, keep.events)
        })?;
        let names: Vec<&str> = dropped.iter().map(|p| p.name.as_str()).collect();
        Ok(Some(if names.is_empty() {
            "nothing was old enough".to_owned()
        } else {
            format!("dropped {}", names.join(", "))
        }))
    }
}
