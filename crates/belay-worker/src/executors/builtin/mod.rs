//! The kinds that need no configuration.

mod noop;
mod sleep;

use std::sync::Arc;

pub use noop::Noop;
pub use sleep::Sleep;

use belay_core::Db;

use crate::KindConfig;

/// `noop`, which does nothing, and `sleep`, which waits for as long as its payload says: `{"seconds": 1.5}`.
#[must_use]
pub fn builtin_kinds() -> Vec<KindConfig> {
    vec![
        KindConfig::new("noop", "builtin", Arc::new(Noop)),
        KindConfig::new("sleep", "builtin", Arc::new(Sleep)),
    ]
}

/// The kinds that work on Belay's own database and need no configuration.
#[must_use]
pub fn database_kinds(_db: &Db) -> Vec<KindConfig> {
    Vec::new()
}
