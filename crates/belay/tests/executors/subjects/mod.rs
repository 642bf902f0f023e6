//! The executors, a file each.

pub(crate) mod command;
pub(crate) mod http;
pub(crate) mod native;
pub(crate) mod remote;
pub(crate) mod sql;
