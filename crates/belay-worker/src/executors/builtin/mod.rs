//! The kinds that need no configuration.

mod noop;
mod sleep;

use std::sync::Arc;

pub use noop::Noop;
pub use sleep::Sleep;

use belay_core::Db;
use belay_core::ops::BulkKind;

use crate::KindConfig;
use crate::executors::bulk::Bulk;
use crate::executors::ingest::{Ingest, IngestObjects};

/// `noop`, which does nothing, and `sleep`, which waits for as long as its payload says: `{"seconds": 1.5}`.
#[must_use]
pub fn builtin_kinds() -> Vec<KindConfig> {
    vec![
        KindConfig::new("noop", "builtin", Arc::new(Noop)),
        KindConfig::new("sleep", "builtin", Arc::new(Sleep)),
    ]
}

/// Attempts of a bulk action. It goes on where it was left, so that a lost worker costs nothing but time.
const BULK_ATTEMPTS: i16 = 100;
/// Attempts of a load. What is wrong with the data is wrong the next time, too; these are for what is wrong with the database.
const INGEST_ATTEMPTS: i16 = 3;

/// The kinds that work on Belay's own database and need no configuration: `cancel_jobs` and `retry_jobs`, which act on all jobs of
/// the filter in their payload, and `ingest`, which loads uploaded files into the objects declared, or into the store of records.
#[must_use]
pub fn database_kinds(db: &Db, objects: IngestObjects) -> Vec<KindConfig> {
    let mut kinds: Vec<KindConfig> = BulkKind::ALL
        .into_iter()
        .map(|bulk| {
            let executor = Arc::new(Bulk::new(db.clone(), bulk));
            let mut kind = KindConfig::new(bulk.name(), "builtin", executor);
            kind.spec.max_attempts = BULK_ATTEMPTS;
            kind
        })
        .collect();
    let mut ingest = KindConfig::new("ingest", "builtin", Arc::new(Ingest::new(db, objects)));
    ingest.spec.max_attempts = INGEST_ATTEMPTS;
    kinds.push(ingest);
    kinds
}
