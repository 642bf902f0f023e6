//! Reports: what became of attempts, on its way to the database.

mod item;
mod queue;
mod reporter;
mod save;
mod send;
mod tally;

pub(crate) use item::{Batch, Item};
pub(crate) use queue::{MAX_BATCH, Queue};
pub(crate) use reporter::{Reporter, Saving, THREADS};
