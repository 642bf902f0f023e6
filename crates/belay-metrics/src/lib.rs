#![doc = include_str!("../README.md")]

mod buckets;
mod cancelling;
mod error;
mod instance;
mod labels;
mod lane;
mod macros;
mod sample;
mod service;
mod words;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::TextEncoder;

pub use cancelling::Cancelling;
pub use error::MetricsError;
pub use labels::OTHER;
pub use lane::{Lane, MAX_LANES, MAX_NAMES};
pub use sample::{Reading, Sample, Sampler, Workers};
pub use words::{JobOutcome, RescueOutcome};

/// Most routes with series of their own.
const MAX_ROUTES: usize = 200;

/// Media type of what [`Metrics::render`] answers.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics of one daemon. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    instance: instance::Instance,
    service: service::Service,
    lanes: lane::Lanes,
    routes: labels::Guard,
    /// Queues that have series in `service`; locked while it is set and read, so that an answer never mixes two samples.
    shown: Mutex<HashSet<String>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Makes a set of metrics with registries of its own: any number can live in one process.
    ///
    /// # Errors
    /// [`MetricsError::Setup`], a defect.
    pub fn new() -> Result<Self, MetricsError> {
        let instance = instance::Instance::new().map_err(MetricsError::Setup)?;
        instance.show_known();
        let metrics = Self {
            inner: Arc::new(Inner {
                instance,
                service: service::Service::new().map_err(MetricsError::Setup)?,
                lanes: lane::Lanes::new(),
                routes: labels::Guard::new(MAX_ROUTES),
                shown: Mutex::default(),
            }),
        };
        metrics.running(0, 0);
        Ok(metrics)
    }

    /// Everything in the text format of Prometheus: what this process did, and what the sample says of the database.
    ///
    /// # Errors
    /// [`MetricsError::Render`], a defect.
    pub fn render(&self, sample: Option<&Sample>) -> Result<String, MetricsError> {
        let mut text = String::with_capacity(64 * 1024);
        if let Some(sample) = sample {
            self.pool(sample.pool.0, sample.pool.1);
        }
        let encoder = TextEncoder::new();
        encoder
            .encode_utf8(&self.inner.instance.registry.gather(), &mut text)
            .map_err(MetricsError::Render)?;
        if let Some(sample) = sample {
            let families = {
                let mut shown = self
                    .inner
                    .shown
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                self.inner
                    .service
                    .show(sample, |queue| self.inner.lanes.queue(queue), &mut shown)
            };
            encoder
                .encode_utf8(&families, &mut text)
                .map_err(MetricsError::Render)?;
        }
        Ok(text)
    }
}
