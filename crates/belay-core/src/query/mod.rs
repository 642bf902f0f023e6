//! Reads. No row locks, no changes; each file answers one kind of question.

mod attributes;
mod bulk;
pub mod ingest;
mod job;
mod key;
mod list;
mod marks;
mod output;
mod overview;
mod partition;
pub mod remote;
mod session;
mod stops;
mod timeline;
pub mod upload;

pub use attributes::attributes;
pub use bulk::{bulk_actions, count_bulk, preview_bulk};
pub use job::{get, resolve};
pub use key::{find_key, keys};
pub use list::{
    COUNTED, Count, JobFilter, Listed, MAX_OFFSET_PAGE, MAX_PAGE, count, counted_page, list, page,
};
pub use marks::{cancel_marks, find, gone, is_gone};
pub use output::{outputs, progress, progress_of};
pub use overview::{
    JobCounts, database_ages, find_tenant, is_english, is_kind, kinds, message_language, now,
    queue_counts, queues, tenant_by_id, tenants, unserved_lines, workers,
};
pub use partition::{partitions_ahead, tomorrow_is_prepared};
pub use session::find_session;
pub use stops::stops;
pub use timeline::{life, timeline};
