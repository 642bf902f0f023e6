//! What the tests share.

mod client;
mod expect;
mod server;
pub(crate) mod vault_states;
mod world;

pub(crate) use client::{Reply, exchange, request};
pub(crate) use expect::assert_matches;
pub(crate) use server::Server;
pub(crate) use world::World;
