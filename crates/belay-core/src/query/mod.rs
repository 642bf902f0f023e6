//! Reads. No row locks, no changes; each file answers one kind of question.

mod attributes;
pub mod ingest;
mod job;
mod key;
mod list;
mod output;
mod overview;
mod partition;
mod session;
mod timeline;
pub mod upload;

pub use attributes::attributes;
pub use job::{get, resolve};
pub use key::{find_key, keys};
pub use list::{Count, JobFilter, MAX_PAGE, count, list, page};
pub use output::{outputs, progress};
pub use overview::{
    JobCounts, database_ages, find_tenant, kinds, queue_counts, queues, tenant_by_id, tenants,
    workers,
};
pub use partition::{partitions_ahead, tomorrow_is_prepared};
pub use session::find_session;
pub use timeline::timeline;
