//! Whole workers on real databases.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what goes wrong in a test's own tools fails the test"
)]

mod basics;
mod bulk;
mod cancel;
mod faults;
mod freeze;
mod ingest;
mod native;
mod results;
mod shutdown;
mod support;
