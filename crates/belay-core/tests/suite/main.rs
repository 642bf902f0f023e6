//! belay-core against a real PostgreSQL: one concept per file, a database of its own for each test. One program, because each
//! test program links libpq and the whole crate anew.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

mod api_keys;
mod bulk_cancel;
mod bulk_locks;
mod bulk_retry;
mod bulk_terms;
mod cancel;
mod cancel_chunk;
mod cancel_many;
mod cancel_races;
mod cancel_vs_everything;
mod cancel_waits;
mod catalog;
mod claim;
mod complete;
mod connections;
mod enqueue;
mod enqueue_many;
mod enqueue_refused;
mod external;
mod force_cancel;
mod guards;
mod ids;
mod keys;
mod kinds;
mod lists;
mod migrations;
mod notify;
mod output;
mod poison;
mod rescue;
mod retention;
mod retry;
mod schedule;
mod settle;
mod settle_odd;
mod shape;
mod sql_attack;
mod sql_errors;
mod sql_functions;
mod sql_settle;
mod sql_transactions;
mod state_table;
mod suspend;
mod time_limits;
mod timeline;
mod uploads;
