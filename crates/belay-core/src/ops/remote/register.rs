//! A remote worker begins. Locks no job.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};

use super::EXECUTOR;
use crate::error::{Error, Result};
use crate::ops::registry::add_kinds;
use crate::ops::{self, KindSpec, NewWorker};
use crate::stmt::stmt;

/// A remote worker that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// What it is. Its list of kinds is taken from `kinds`.
    pub worker: NewWorker,
    /// Kinds it can run, and what is registered for those that nobody knows yet. Their executor is [`EXECUTOR`].
    pub kinds: Vec<KindSpec>,
    /// Name of the API key it belongs to.
    pub key: String,
    /// Tenants whose jobs it gets; `None` for all.
    pub tenants: Option<Vec<i32>>,
}

/// Registers a remote worker and the kinds that are new, in the caller's transaction, and answers its number.
///
/// # Errors
/// [`Error::Conflict`] names a kind that the daemon runs; [`Error::Invalid`] for a value out of range.
pub fn register(conn: &mut PgConnection, new: &Registration) -> Result<i64> {
    let names: Vec<String> = new.kinds.iter().map(|kind| kind.name.clone()).collect();
    add_kinds(conn, &new.kinds)?;
    // After the insert, which waited for whoever was making the same kind.
    let others = stmt::<(Text, Text)>(
        "-- kinds_of_others\n select name, executor from belay.kind where name = any ($1) and executor <> $2 order by name limit 1",
    )
    .bind::<Array<Text>, _>(&names)
    .bind::<Text, _>(EXECUTOR)
    .load::<(String, String)>(conn)?;
    if let Some((kind, executor)) = others.first() {
        return Err(Error::Conflict {
            message: format!(
                "the kind {kind:?} is run by the executor {executor:?} and not by remote workers; nothing was registered"
            ),
        });
    }
    let id = ops::register(
        conn,
        &NewWorker {
            kinds: names,
            ..new.worker.clone()
        },
    )?;
    stmt::<()>("-- worker_of_key\n update belay.worker set key = $2, tenants = $3 where id = $1")
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(&new.key)
        .bind::<Nullable<Array<Integer>>, _>(&new.tenants)
        .execute(conn)?;
    Ok(id)
}
