#![doc = include_str!("../README.md")]

mod auth;
mod blocking;
mod builder;
mod dialects;
mod docs;
mod health;
mod http;
mod native;
mod openapi;
mod probes;
mod service;
mod state;
mod time;
mod worker_protocol;

pub use auth::scope::{Scope, UnknownScope};
pub use builder::{AdminApi, AdminApiBuilder, BuildError, Page};
pub use dialects::Dialect;
pub use health::{Check, Health};
pub use http::RateLimit;
