//! What is not any tenant's own: queues, kinds, workers, and the tenants themselves.

use std::collections::BTreeMap;

use belay_core::model::{KindRow, QueueRow, TenantRow, WorkerRow};
use belay_core::{Db, Result, ops, query};

use crate::auth::Grant;

/// Entries that counting the jobs of queues may look at.
const COUNT_CAP: i64 = 50_000;

/// Whether a key may touch every tenant there is. Only then may it see what all tenants share: how full queues are and who
/// works on them tells of other tenants.
///
/// # Errors
/// Those of the database.
pub(crate) fn sees_all(db: &Db, grant: &Grant) -> Result<bool> {
    if grant.tenants.is_none() {
        return Ok(true);
    }
    let tenants = db.read(query::tenants)?;
    Ok(tenants.iter().all(|tenant| grant.may_touch(tenant.id)))
}

/// Every queue, by name, with its unfinished jobs by state.
///
/// # Errors
/// Those of the database.
pub(crate) fn queues(db: &Db) -> Result<BTreeMap<String, Vec<QueueRow>>> {
    db.read(|conn| {
        let names = query::queues(conn)?;
        let mut queues: BTreeMap<String, Vec<QueueRow>> =
            names.into_iter().map(|name| (name, Vec::new())).collect();
        for row in query::queue_counts(conn, COUNT_CAP)? {
            queues.entry(row.queue.clone()).or_default().push(row);
        }
        Ok(queues)
    })
}

/// All kinds, by name.
///
/// # Errors
/// Those of the database.
pub(crate) fn kinds(db: &Db) -> Result<Vec<KindRow>> {
    db.read(query::kinds)
}

/// All workers, oldest first.
///
/// # Errors
/// Those of the database.
pub(crate) fn workers(db: &Db) -> Result<Vec<WorkerRow>> {
    db.read(query::workers)
}

/// The tenants a key may touch, oldest first.
///
/// # Errors
/// Those of the database.
pub(crate) fn tenants(db: &Db, grant: &Grant) -> Result<Vec<TenantRow>> {
    let mut tenants = db.read(query::tenants)?;
    tenants.retain(|tenant| grant.may_touch(tenant.id));
    Ok(tenants)
}

/// Makes a tenant.
///
/// # Errors
/// Those of [`ops::create_tenant`].
pub(crate) fn create_tenant(db: &Db, name: &str) -> Result<TenantRow> {
    let (id, created_at) = db.tx(|conn| ops::create_tenant(conn, name))?;
    Ok(TenantRow {
        id,
        name: name.to_owned(),
        created_at,
    })
}
