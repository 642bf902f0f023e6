//! The same situations over all five compatibility interfaces: each says it in its own words, and all mean the same.

mod access;
mod bad;
mod bad_input;
mod cancel;
mod face;
mod http;
mod races;
mod shape;
