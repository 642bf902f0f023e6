//! The use cases, as plain functions over the database and the caller. Every face calls the same ones: a face parses, maps
//! words and shapes answers, and never reaches past this folder.

pub(crate) mod bulk;
mod caller;
pub(crate) mod cancel;
pub(crate) mod enqueue;
pub(crate) mod external;
pub(crate) mod house;
pub(crate) mod ingest;
pub(crate) mod keys;
pub(crate) mod manage;
pub(crate) mod read;
pub(crate) mod remote;
pub(crate) mod session;

pub(crate) use caller::Caller;
