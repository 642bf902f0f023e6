//! Workers.

pub(super) mod list;
