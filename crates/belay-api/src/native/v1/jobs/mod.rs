//! Jobs.

pub(super) mod cancel;
pub(super) mod cancel_many;
pub(super) mod delete_data;
pub(super) mod enqueue;
pub(super) mod enqueue_batch;
pub(super) mod get;
pub(super) mod list;
pub(super) mod output;
pub(super) mod resume;
pub(super) mod retry;
pub(super) mod start;
pub(super) mod suspend;
pub(super) mod timeline;
