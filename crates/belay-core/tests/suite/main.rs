//! belay-core against a real PostgreSQL: one concept per file, a database of its own for each test. One program, because each
//! test program links libpq and the whole crate anew.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

mod catalog;
mod claim;
mod complete;
mod enqueue;
mod enqueue_many;
mod enqueue_refused;
mod guards;
mod keys;
mod migrations;
mod settle;
mod settle_odd;
mod state_table;
