//! The worker protocol, as workers in other languages meet it.

mod beat;
mod claim;
mod finish;
mod register;
mod support;
