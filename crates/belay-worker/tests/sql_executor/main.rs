//! Statements of operators, run by whole workers on real databases.

#![expect(
    clippy::unwrap_used,
    reason = "what goes wrong in a test's own tools fails the test"
)]

mod basics;
mod elsewhere;
mod escape;
mod lost;
mod refused;
mod stops;
mod support;
