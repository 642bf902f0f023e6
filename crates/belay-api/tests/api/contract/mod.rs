//! What all compatibility interfaces promise, asked of each of them in the same way.
//!
//! [`faces`] has one value for each interface: how it spells things. The situations run over all of them.

mod access;
mod bad_input;

mod faces;
mod http;
mod leaving;
mod order;
mod races;
mod shapes;
mod states;
mod table;
mod trouble;
