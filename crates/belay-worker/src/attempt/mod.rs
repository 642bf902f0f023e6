//! Attempts: what was claimed and runs here.

mod control;
mod drive;
mod held;
mod shown;
mod start;
mod turn;
mod verdict;

pub(crate) use held::{Held, HeldJob, Key, Wishes};
pub(crate) use shown::Unsaved;
pub(crate) use start::{panic_text, start};
