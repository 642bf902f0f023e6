//! `[ingest]`: what uploaded CSV can be loaded into, and how long a job may wait for it.

use std::collections::BTreeMap;
use std::time::Duration;

use belay_worker::WorkerConfig;
use belay_worker::executors::ingest::{IngestObject, IngestObjects};
use serde::Deserialize;

use super::ConfigError;
use super::duration;

/// What uploaded CSV can be loaded into, and how long a job may wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ingest {
    /// How long a job may be open, or wait to be loaded, before it is aborted.
    #[serde(deserialize_with = "duration::required")]
    pub max_age: Duration,
    /// Tables that are loaded into, by the name of the object. What is not here goes to the store of records.
    pub objects: BTreeMap<String, Object>,
}

/// A table that is loaded into.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// The table with its schema, for example `public.contacts`.
    pub table: String,
    /// The columns that tell its rows apart; it has a unique index on them.
    pub key: Vec<String>,
    /// All columns that may be loaded, the key among them.
    pub columns: Vec<String>,
    /// The role that owns the table, when that is not the daemon's own and yet may be trusted with its rights.
    pub owner: Option<String>,
}

impl Default for Ingest {
    fn default() -> Self {
        Self {
            max_age: WorkerConfig::new("").ingest_max_age,
            objects: BTreeMap::new(),
        }
    }
}

impl Ingest {
    /// What the executor is told.
    pub(crate) fn objects(&self) -> Result<IngestObjects, ConfigError> {
        self.objects
            .iter()
            .map(|(name, object)| {
                let place = format!("ingest.objects.{name}");
                if name.trim().is_empty() || name.chars().count() > 255 {
                    return Err(ConfigError::member(
                        place,
                        format!("{name:?} is not a name of an object; use 1 to 255 characters"),
                    ));
                }
                let declared =
                    IngestObject::new(&object.table, object.key.clone(), object.columns.clone())
                        .map_err(|error| {
                            ConfigError::member(format!("{place}.{}", error.member), error.message)
                        })?;
                Ok((name.clone(), declared.owned_by(object.owner.clone())))
            })
            .collect()
    }
}
