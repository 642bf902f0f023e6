//! The worker protocol, as workers in other languages meet it.

mod beat;
mod claim;
mod events;
mod finish;
mod leaving;
mod receivers;
mod register;
mod support;
