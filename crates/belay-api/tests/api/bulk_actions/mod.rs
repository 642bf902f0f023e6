//! The interface `bulk-actions`, word for word.

mod cancel;
mod create;
mod errors;
mod look;
mod support;
