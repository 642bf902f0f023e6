//! Hold: locks one job until the transaction ends, for a caller that decides by its state and then calls another operation. What
//! that operation finds is what was decided on.

use diesel::prelude::*;

use super::lock::{finished_state, lock_one};
use crate::error::{Error, Result};
use crate::state::JobState;

/// Locks a job of a tenant (`None`: of any) and answers its state. A finished job needs no lock: its state never changes.
///
/// # Errors
/// [`Error::Missing`]; [`Error::Busy`] when another transaction holds the job too long.
pub fn hold(conn: &mut PgConnection, tenant: Option<i32>, id: i64) -> Result<JobState> {
    if let Some(job) = lock_one(conn, tenant, id)? {
        return Ok(job.state);
    }
    finished_state(conn, tenant, id)?.ok_or_else(|| Error::missing(format!("job {id}")))
}
