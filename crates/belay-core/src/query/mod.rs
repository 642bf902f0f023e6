//! Reads. No row locks, no changes; each file answers one kind of question.

mod job;
mod key;
mod list;
mod output;
mod overview;
mod partition;
mod timeline;

pub use job::{get, resolve};
pub use key::{find_key, keys};
pub use list::{JobFilter, MAX_PAGE, list};
pub use output::{outputs, progress};
pub use overview::{
    JobCounts, database_ages, find_tenant, kinds, queue_counts, queues, tenants, workers,
};
pub use partition::{partitions_ahead, tomorrow_is_prepared};
pub use timeline::timeline;
