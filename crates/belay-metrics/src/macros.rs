//! Turns a documented struct into registered collectors: the doc comment of a field is the help text of its series, so that
//! the two cannot drift apart.

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

/// A collector that can be made from a name, a help text, label names and (histograms only) bucket bounds.
pub(crate) trait Make: Collector + Clone + 'static {
    fn make(
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<Self, prometheus::Error>;
}

macro_rules! make_plain {
    ($($type:ty),*) => {$(
        impl Make for $type {
            fn make(name: &str, help: &str, _: &[&str], _: &[f64]) -> Result<Self, prometheus::Error> {
                Self::with_opts(Opts::new(name, help))
            }
        }
    )*};
}

macro_rules! make_vec {
    ($($type:ty),*) => {$(
        impl Make for $type {
            fn make(name: &str, help: &str, labels: &[&str], _: &[f64]) -> Result<Self, prometheus::Error> {
                Self::new(Opts::new(name, help), labels)
            }
        }
    )*};
}

make_plain!(IntCounter, IntGauge, Gauge);
make_vec!(IntCounterVec, IntGaugeVec, GaugeVec);

impl Make for Histogram {
    fn make(
        name: &str,
        help: &str,
        _: &[&str],
        buckets: &[f64],
    ) -> Result<Self, prometheus::Error> {
        Self::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))
    }
}

impl Make for HistogramVec {
    fn make(
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<Self, prometheus::Error> {
        Self::new(
            HistogramOpts::new(name, help).buckets(buckets.to_vec()),
            labels,
        )
    }
}

/// Makes one collector and registers it.
pub(crate) fn add<C: Make>(
    registry: &Registry,
    name: &str,
    doc: &str,
    labels: &[&str],
    buckets: &[f64],
) -> Result<C, prometheus::Error> {
    let help = doc.split_whitespace().collect::<Vec<_>>().join(" ");
    let collector = C::make(name, help.trim_end_matches('.'), labels, buckets)?;
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// Declares a struct of collectors: `field: Type = "name" [labels], BUCKETS;`, labels and buckets where the type has them.
macro_rules! collectors {
    (
        $(#[$outer:meta])*
        struct $struct:ident {
            $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $name:literal $([$($label:literal),+])? $(, $buckets:expr)?;)+
        }
    ) => {
        $(#[$outer])*
        #[derive(Debug)]
        pub(crate) struct $struct {
            pub(crate) registry: prometheus::Registry,
            $($(#[doc = $doc])+ pub(crate) $field: $type,)+
        }

        impl $struct {
            pub(crate) fn new() -> Result<Self, prometheus::Error> {
                let registry = prometheus::Registry::new();
                Ok(Self {
                    $($field: $crate::macros::add(
                        &registry,
                        $name,
                        concat!($($doc, " "),+),
                        &[$($($label),+)?],
                        // The empty list is only seen by collectors that have no buckets.
                        [$(&$buckets[..],)? &[][..]].into_iter().next().unwrap_or_default(),
                    )?,)+
                    registry,
                })
            }
        }
    };
}

pub(crate) use collectors;
