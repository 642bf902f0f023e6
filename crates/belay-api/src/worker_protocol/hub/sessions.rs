//! The connections of the worker protocol. Claims and reports need connections whose plans do not depend on statistics, as the
//! daemon's own worker has them, and those of the pool are not like that.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use belay_core::db::Role;
use belay_core::{Db, Error, Session};
use tokio::sync::Semaphore;

use crate::blocking::compute;
use crate::http::Fault;

/// Connections at once, and so calls.
const MOST: usize = 8;
/// Connections that were not used for so long are closed.
const IDLE: Duration = Duration::from_secs(60);

/// Connections with the role `Hot`, opened when they are needed.
pub(crate) struct Sessions {
    db: Db,
    idle: Mutex<Vec<(Session, Instant)>>,
    permits: Arc<Semaphore>,
}

impl Sessions {
    pub(crate) fn new(db: Db) -> Self {
        let most = (db.config().pool_size as usize).clamp(1, MOST);
        Self {
            db,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(most)),
        }
    }

    /// Runs work on a connection, whole, whatever becomes of the client. Whoever waits too long for its turn is told that the
    /// daemon is busy.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Session) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Fault> {
        let patience = self.db.config().pool_wait;
        let permits = Arc::clone(&self.permits);
        let permit = match tokio::time::timeout(patience, permits.acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) | Err(_) => {
                return Err(Error::Busy("too many remote workers ask at once".into()).into());
            }
        };
        let sessions = Arc::clone(self);
        compute(move || {
            // Held until the work is done, also when nobody waits for it any more.
            let _permit = permit;
            sessions.now(work)
        })
        .await?
        .map_err(Fault::from)
    }

    /// Runs work on a connection, on this thread.
    fn now<T>(&self, work: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        let idle = self.idle().pop();
        let mut session = match idle {
            Some((session, _)) => session,
            None => self.db.session(Role::Hot)?,
        };
        let answer = work(&mut session);
        if matches!(answer, Err(Error::Unreachable(_))) {
            // The others have most likely lost the database as well.
            self.idle().clear();
        } else {
            self.idle().push((session, Instant::now()));
        }
        answer
    }

    /// Closes what nobody has used for a while. The one used last is taken first, so the others grow old.
    pub(super) fn tidy(&self) {
        let old: Vec<_> = {
            let mut idle = self.idle();
            let old = idle.partition_point(|(_, used)| used.elapsed() > IDLE);
            let fresh = idle.split_off(old);
            std::mem::replace(&mut *idle, fresh)
        };
        drop(old);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Session, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
