//! Putting an instance of the API together, and into an application.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, ServiceConfig};
use belay_core::Db;
use belay_metrics::{Metrics, MetricsError, Sampler};
use tokio::sync::{Semaphore, watch};

use crate::auth::{KeyCache, TenantCache};
use crate::dialects::{self, Dialect, DialectSettings};
use crate::health::Health;
use crate::http::{Limiter, RateLimit, mount, unknown_route};
use crate::native::{FACE, v1};
use crate::state::Inner;
use crate::worker_protocol::{self, Hub};
use crate::{docs, openapi, probes};

/// How old the figures in `/metrics` that come from the database may be, unless said otherwise.
const METRICS_MAX_AGE: Duration = Duration::from_secs(10);

/// What is mounted beside the API itself, and can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// `/healthz`: the process is alive.
    Healthz,
    /// `/readyz`: it can do its work.
    Readyz,
    /// `/metrics`: for Prometheus.
    Metrics,
    /// `/openapi.json`: the document of the API.
    OpenApi,
    /// `/docs`: the same for people. Shows what `/openapi.json` serves.
    Docs,
}

/// Why an instance could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The prefix cannot stand before a path.
    #[error(
        "the prefix {0:?} is not usable: it must be empty, or begin with a slash, not end with one, and hold only letters, digits and . _ ~ - /"
    )]
    Prefix(String),
    /// No call to the database could ever run.
    #[error("at least one call to the database at once must be allowed, not 0")]
    NoCalls,
    /// The metrics could not be set up.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The document could not be written. A defect.
    #[error("the OpenAPI document cannot be written: {0}")]
    Document(#[from] serde_json::Error),
}

/// An instance of the API. Cheap to clone; clones share everything. Any number of instances with different prefixes can be
/// mounted in one application.
#[derive(Clone)]
pub struct AdminApi {
    inner: Arc<Inner>,
    left_out: Arc<[Page]>,
}

impl fmt::Debug for AdminApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminApi")
            .field("prefix", &self.inner.prefix)
            .field("left_out", &self.left_out)
            .finish_non_exhaustive()
    }
}

impl AdminApi {
    /// Begins an instance on a database.
    pub fn builder(db: Db) -> AdminApiBuilder {
        AdminApiBuilder {
            calls: db.config().pool_size as usize,
            db,
            metrics: None,
            health: Vec::new(),
            prefix: String::new(),
            metrics_key_required: false,
            metrics_max_age: METRICS_MAX_AGE,
            left_out: Vec::new(),
            rate_limit: None,
            dialects: DialectSettings::default(),
        }
    }

    /// Mounts the instance; call it in the application factory, once per worker.
    ///
    /// Everything goes into scopes and resources of its own: the application's error handlers, its answer to unknown paths and
    /// its data are left alone.
    pub fn configure(&self, config: &mut ServiceConfig) {
        let api = &self.inner;
        let mut native = web::scope(&format!("{}{}", api.prefix, v1::BASE));
        for resource in v1::resources() {
            native = native.service(mount(api, &FACE, "", v1::BASE, resource));
        }
        for (face, resource) in worker_protocol::resources() {
            native = native.service(mount(api, face, "", v1::BASE, resource));
        }
        config.service(native.default_service(unknown_route(api, &FACE)));
        dialects::configure(api, config);
        for (page, resource) in probes::resources().into_iter().chain(docs::resources()) {
            if !self.left_out.contains(&page) {
                config.service(mount(api, &FACE, &api.prefix, "", resource));
            }
        }
    }

    /// What a server that serves nothing else answers for every other path: a problem, as everywhere in the native API.
    pub fn unknown_route(&self) -> actix_web::Route {
        unknown_route(&self.inner, &FACE)
    }

    /// Answers at once whoever waits for the end of a job (`Prefer: wait=N`) or for work, and ends the event streams of remote workers,
    /// now and from now on. Call it when the server is
    /// about to stop: a graceful stop would otherwise wait for them.
    pub fn stop_waiting(&self) {
        self.inner.stopping.send_replace(true);
        self.inner.remote.end();
    }

    /// The OpenAPI document of this instance, as JSON.
    #[must_use]
    pub fn openapi(&self) -> &str {
        &self.inner.openapi
    }
}

/// Settings of an instance of the API.
#[must_use]
pub struct AdminApiBuilder {
    db: Db,
    metrics: Option<Metrics>,
    health: Vec<Arc<dyn Health>>,
    prefix: String,
    metrics_key_required: bool,
    metrics_max_age: Duration,
    calls: usize,
    left_out: Vec<Page>,
    rate_limit: Option<RateLimit>,
    dialects: DialectSettings,
}

impl fmt::Debug for AdminApiBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminApiBuilder")
            .field("db", &self.db)
            .field("prefix", &self.prefix)
            .field("left_out", &self.left_out)
            .finish_non_exhaustive()
    }
}

impl AdminApiBuilder {
    /// The metrics to count into and to show at `/metrics`; without them the instance has some of its own.
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Adds checks to `/readyz`.
    pub fn health(mut self, health: Arc<dyn Health>) -> Self {
        self.health.push(health);
        self
    }

    /// Puts this before every path, for example `/admin`. Nothing unless set: the native API is at `/belay/v1`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Whether `/metrics` needs an API key with the scope `metrics`. No unless set.
    pub fn metrics_key_required(mut self, required: bool) -> Self {
        self.metrics_key_required = required;
        self
    }

    /// How old the figures in `/metrics` that come from the database may be. 10 seconds unless set.
    pub fn metrics_max_age(mut self, age: Duration) -> Self {
        self.metrics_max_age = age;
        self
    }

    /// How many calls to the database may run at once, from 1; each occupies a thread and a connection. As many as the pool has
    /// connections unless set.
    pub fn calls_at_once(mut self, calls: usize) -> Self {
        self.calls = calls;
        self
    }

    /// Leaves out a page that the application does not want, or has itself.
    pub fn without(mut self, page: Page) -> Self {
        self.left_out.push(page);
        self
    }

    /// Leaves out a compatibility interface. All are served unless said otherwise.
    pub fn without_dialect(mut self, dialect: Dialect) -> Self {
        self.dialects.off.push(dialect);
        self
    }

    /// Whether jobs that run can be cancelled through the dialect `vault`. No unless set, as its published form says.
    pub fn vault_cancel_running(mut self, allowed: bool) -> Self {
        self.dialects.vault_cancel_running = allowed;
        self
    }

    /// Time that must lie between two looks of an API key at the same job through the dialect `vault`; what comes sooner is answered
    /// `API_LIMIT_EXCEEDED`. Zero, which is no limit, unless set.
    pub fn vault_status_interval(mut self, interval: Duration) -> Self {
        self.dialects.vault_status_interval = interval;
        self
    }

    /// Most bytes of one file that is uploaded through the dialect `ingest`. 150,000,000 unless set, as its published form says.
    pub fn ingest_file_limit(mut self, bytes: usize) -> Self {
        self.dialects.ingest_file_limit = bytes;
        self
    }

    /// Requests that one API key may send through this instance; what is more is answered 429. No limit unless set.
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.rate_limit = Some(limit);
        self
    }

    /// Makes the instance. Does not touch the database.
    ///
    /// # Errors
    /// [`BuildError`] says which setting is not usable.
    pub fn build(self) -> Result<AdminApi, BuildError> {
        if !is_prefix(&self.prefix) {
            return Err(BuildError::Prefix(self.prefix));
        }
        if self.calls == 0 {
            return Err(BuildError::NoCalls);
        }
        let metrics = match self.metrics {
            Some(metrics) => metrics,
            None => Metrics::new()?,
        };
        let inner = Inner {
            openapi: openapi::document(&self.prefix).to_json()?,
            permits: Arc::new(Semaphore::new(self.calls.min(Semaphore::MAX_PERMITS))),
            patience: self.db.config().pool_wait,
            sampler: Sampler::new(self.db.clone(), self.metrics_max_age),
            metrics: metrics.clone(),
            health: self.health,
            prefix: self.prefix,
            metrics_key_required: self.metrics_key_required,
            keys: KeyCache::default(),
            tenants: TenantCache::default(),
            limiter: Limiter::new(self.rate_limit),
            vault_looks: Limiter::spaced(self.dialects.vault_status_interval),
            dialects: self.dialects,
            stopping: watch::Sender::new(false),
            remote: Hub::new(self.db.clone(), metrics.clone()),
            db: self.db,
        };
        Ok(AdminApi {
            inner: Arc::new(inner),
            left_out: self.left_out.into(),
        })
    }
}

fn is_prefix(text: &str) -> bool {
    text.is_empty()
        || (text.starts_with('/')
            && !text.ends_with('/')
            && !text.contains("//")
            && text.bytes().all(|b| {
                b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-' | b'/')
            }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_begin_with_a_slash_and_do_not_end_with_one() {
        for text in ["", "/a", "/a/b-c.d"] {
            assert!(is_prefix(text), "{text}");
        }
        for text in ["/", "a", "/a/", "/a//b", "/{a}", "/a b", "/ä"] {
            assert!(!is_prefix(text), "{text}");
        }
    }
}
