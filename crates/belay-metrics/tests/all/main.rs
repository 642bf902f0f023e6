//! Tests of what is exposed.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

mod bounds;
mod names;
mod sampler;
mod support;
