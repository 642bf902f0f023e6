//! Bulk actions: the kinds `cancel_jobs` and `retry_jobs`, which act on all jobs of a filter.
//!
//! A walk is durable. Its first start fixes where it ends; then each step is one transaction, which acts on some jobs and
//! moves the walk on, under the lock of the bulk job's own row. A step first locks the targets and the own row, in ascending
//! id order in one statement, then looks whether the own row is still running under this attempt, and only then acts. So a
//! cancel of the bulk job, a lost lease and another attempt end a walk exactly, a killed worker loses and doubles nothing,
//! and two walks that contain each other cannot deadlock.

mod filter;
mod keep;
mod walk;

pub use filter::{BulkFilter, BulkKind};
pub use keep::{BulkTerms, keep_bulk_action};
pub use walk::{BulkAttempt, BulkStep, BulkWalk, Standing, begin_bulk, bulk_step, note_bulk_total};
