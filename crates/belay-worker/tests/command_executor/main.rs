//! The `command` executor with a real guard and real programs.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what goes wrong in a test's own tools fails the test"
)]

mod confined;
mod injection;
mod life;
mod results;
mod stops;
mod support;
mod surroundings;
