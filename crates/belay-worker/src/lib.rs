#![doc = include_str!("../README.md")]

mod attempt;
mod bell;
mod builder;
mod clock;
mod conductor;
mod config;
mod dispatcher;
mod duties;
mod error;
pub mod executors;
mod heartbeat;
mod lease;
mod link;
mod listener;
mod pace;
mod phase;
mod report;
mod shared;
mod source;
mod threads;
mod watchdog;
mod worker;

pub use belay_core::{Backoff, Db};
pub use belay_metrics::Metrics;
pub use builder::WorkerBuilder;
pub use config::{KindConfig, Retention, WorkerConfig};
pub use duties::DutyStatus;
pub use error::WorkerError;
pub use executors::builtin::{builtin_kinds, database_kinds};
pub use worker::{Worker, WorkerStatus};
