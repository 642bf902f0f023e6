//! Workers.

pub(super) mod drain;
pub(super) mod list;
