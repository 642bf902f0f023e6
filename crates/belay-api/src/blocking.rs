//! The only place where work leaves the async threads.
//!
//! A handler's future is dropped when its client leaves, wherever it stands. What runs in here is not a future: once begun it
//! runs to its end. So every change of state happens whole inside one of these calls, and a client that leaves can stop it
//! before it begins or learn nothing of it, but never cut it in half.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix_web::web;
use belay_core::{Db, Error};

use crate::http::Fault;
use crate::state::Inner;

/// Runs work on the database. At most as many at once as there are connections; whoever waits longer than a request waits
/// for a connection is told that the daemon is busy.
pub(crate) async fn database<T: Send + 'static>(
    api: &Arc<Inner>,
    work: impl FnOnce(&Db) -> Result<T, Error> + Send + 'static,
) -> Result<T, Fault> {
    let permits = Arc::clone(&api.permits);
    let permit = match tokio::time::timeout(api.patience, permits.acquire_owned()).await {
        Ok(Ok(permit)) => permit,
        Ok(Err(_)) | Err(_) => {
            return Err(Error::Busy("too many requests wait for the database".into()).into());
        }
    };
    let db = api.db.clone();
    compute(move || {
        // Held until the work is done, also when nobody waits for it any more.
        let _permit = permit;
        work(&db)
    })
    .await?
    .map_err(Fault::from)
}

/// Runs work that takes long or blocks. A panic is an answer, not the end of the connection.
pub(crate) async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    match web::block(|| catch_unwind(AssertUnwindSafe(work))).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => Err(Fault::panicked(&*panic)),
        Err(gone) => Err(Fault::internal(format!(
            "the work was dropped before it began: {gone}"
        ))),
    }
}
