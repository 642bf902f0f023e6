//! The API as its clients meet it: over a real socket, on a real database.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

mod admin;
mod auth;
mod bad_input;
mod bulk_actions;
mod cancel;
mod concurrency;
mod contract;
mod enqueue;
mod http_rules;
mod ingest;
mod jobs;
mod jobs_dialect;
mod mounted_in_host;
mod openapi;
mod outage;
mod probes;
mod prospecting;
mod tenants;
mod vault;
mod worker_protocol;
