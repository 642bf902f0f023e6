//! The kinds that need no configuration.

mod noop;
mod sleep;

use std::sync::Arc;

pub use noop::Noop;
pub use sleep::Sleep;

use belay_core::Db;

use crate::KindConfig;
use crate::executors::ingest::{Ingest, IngestObjects};

/// `noop`, which does nothing, and `sleep`, which waits for as long as its payload says: `{"seconds": 1.5}`.
#[must_use]
pub fn builtin_kinds() -> Vec<KindConfig> {
    vec![
        KindConfig::new("noop", "builtin", Arc::new(Noop)),
        KindConfig::new("sleep", "builtin", Arc::new(Sleep)),
    ]
}

/// The kinds that work on Belay's own database and need no configuration: `ingest`, which loads uploaded files into the objects
/// declared, or into the store of records.
#[must_use]
pub fn database_kinds(db: &Db, objects: IngestObjects) -> Vec<KindConfig> {
    let mut ingest = KindConfig::new("ingest", "builtin", Arc::new(Ingest::new(db, objects)));
    // What is wrong with the data is wrong the next time, too; this is for what is wrong with the database.
    ingest.spec.max_attempts = 3;
    vec![ingest]
}
