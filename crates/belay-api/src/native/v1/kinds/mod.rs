//! Kinds.

pub(super) mod list;
