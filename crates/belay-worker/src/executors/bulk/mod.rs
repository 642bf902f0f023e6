//! `cancel_jobs` and `retry_jobs`: bulk actions on the jobs of a filter, as jobs like any other, which can be seen, held still
//! and cancelled.
//!
//! What a walk does, and that it does it exactly once, is decided in [`belay_core::ops::bulk_step`]. Here is who drives it: step
//! after step, on a connection of its own, until it is over or the worker wants something else. Nothing of it lives in this
//! process, so an attempt that ends anywhere is taken up by the next.

mod pace;
mod walk;

use std::fmt;

use belay_core::Db;
use belay_core::ops::BulkKind;

use super::{Attempt, Executor, Running};

/// Jobs in one step of a cancel. Larger steps are hardly faster, and claims and reports wait longer beside them.
const CANCELS: i32 = 1000;
/// Jobs in one step of a retry, which makes each new job by itself.
const RETRIES: i32 = 250;

/// Runs bulk actions of one kind.
pub struct Bulk {
    db: Db,
    bulk: BulkKind,
    chunk: i32,
}

impl Bulk {
    /// Runs them on that database.
    #[must_use]
    pub fn new(db: Db, bulk: BulkKind) -> Self {
        Self {
            db,
            bulk,
            chunk: match bulk {
                BulkKind::Cancel => CANCELS,
                BulkKind::Retry => RETRIES,
            },
        }
    }

    /// With another number of jobs in one step, 1 to 10000; 1000 cancels or 250 retries by default.
    #[must_use]
    pub fn chunk(mut self, jobs: i32) -> Self {
        self.chunk = jobs.clamp(1, 10_000);
        self
    }
}

impl fmt::Debug for Bulk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk")
            .field("bulk", &self.bulk)
            .field("chunk", &self.chunk)
            .finish_non_exhaustive()
    }
}

impl Executor for Bulk {
    fn run(&self, attempt: Attempt) -> Running {
        Box::pin(walk::run(self.db.clone(), self.bulk, self.chunk, attempt))
    }

    fn can_suspend(&self) -> bool {
        true
    }
}
