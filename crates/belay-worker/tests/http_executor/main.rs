//! The `http` executor with a real receiver.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what goes wrong in a test's own tools fails the test"
)]

mod addresses;
mod answers;
mod bodies;
mod receiver;
mod requests;
mod stops;
mod support;
mod tls;
mod whole;
