//! What every request shares.

use std::sync::Arc;
use std::time::Duration;

use belay_core::Db;
use belay_metrics::{Metrics, Sampler};
use tokio::sync::{Semaphore, watch};

use crate::auth::{KeyCache, TenantCache};
use crate::dialects::DialectSettings;
use crate::health::Health;
use crate::http::Limiter;
use crate::worker_protocol::Hub;

/// One instance of the API: built once, shared by all workers of all servers it is mounted in.
pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) metrics: Metrics,
    pub(crate) sampler: Sampler,
    pub(crate) health: Vec<Arc<dyn Health>>,
    /// What stands before every path; empty or `/something`.
    pub(crate) prefix: String,
    pub(crate) metrics_key_required: bool,
    /// Calls that may occupy a thread and a connection at once.
    pub(crate) permits: Arc<Semaphore>,
    /// How long a request waits for its turn before it is told that the daemon is busy.
    pub(crate) patience: Duration,
    pub(crate) keys: KeyCache,
    pub(crate) tenants: TenantCache,
    pub(crate) limiter: Limiter,
    pub(crate) dialects: DialectSettings,
    /// Looks at a job through the dialect `vault`, by API key and job.
    pub(crate) vault_looks: Limiter<(i32, i64)>,
    /// Becomes true when nobody shall wait for the end of a job any more.
    pub(crate) stopping: watch::Sender<bool>,
    /// What remote workers share.
    pub(crate) remote: Hub,
    /// The OpenAPI document as it is served.
    pub(crate) openapi: String,
}
