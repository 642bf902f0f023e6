//! Every command against a database, as a process: what it prints, in which shape, and how it exits.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test fails by panicking"
)]

mod cancelling;
mod changing;
mod enqueueing;
mod keys_and_tenants;
mod looking;
mod support;
mod surroundings;
mod watching;
