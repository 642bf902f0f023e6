//! What the tests share.

mod client;
mod expect;
mod race;
mod server;
mod states;
pub(crate) mod vault_states;
mod world;

pub(crate) use client::{Reply, exchange, request};
pub(crate) use expect::assert_matches;
pub(crate) use race::at_once;
pub(crate) use server::Server;
pub(crate) use states::{Made, Wish};
pub(crate) use world::World;
