//! Queues.

pub(super) mod list;
