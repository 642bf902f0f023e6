//! belay-worker
pub mod executors;
