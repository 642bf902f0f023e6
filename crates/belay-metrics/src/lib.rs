//! belay-metrics
