//! The daemon as a process: first start, later starts, stops, and what it does about a database that goes away.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test fails by panicking"
)]

mod beginning;
mod database;
mod refusing;
mod stopping;
mod support;
mod whole_tree;
mod wire;
