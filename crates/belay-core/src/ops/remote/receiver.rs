//! Reports of whoever was handed a job by the executor `http` and answered that it will report later. Such a receiver has the
//! job's number and the fence, and no worker of its own: the daemon's worker holds the job. Locks the one job, and acts under
//! the lock, so a cancel, a rescue or the worker's own report that came first wins.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text};

use super::finish::{Output, Report};
use crate::error::{Error, Result};
use crate::ops::lock::{finished_state, hint_worker};
use crate::ops::outcome::{Record, record};
use crate::ops::{self, Actor, ProgressRow, Settled, save_output, save_progress, settle};
use crate::state::{JobState, sql};
use crate::stmt::stmt;

/// The executor whose jobs receivers report on.
const EXECUTOR: &str = "http";

/// What became of a receiver's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// The job is in this state now.
    Now(JobState),
    /// It is suspended: report again when it goes on.
    Suspended,
    /// It is not held under that fence any more: stop, and report no more.
    FencedOut,
}

/// What is wanted of the receiver of a job that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Stop it; somebody cancelled.
    pub cancel: bool,
    /// Hold it still.
    pub suspend: bool,
}

struct Held {
    tenant: i32,
    state: JobState,
    worker: i64,
    attempt: i16,
    backoff: Option<String>,
}

/// Settles a job for its receiver, in the caller's transaction.
///
/// # Errors
/// [`Error::Missing`] when there is no such job in these tenants (`None`: in any); [`Error::Refused`] when its kind is not run by
/// the executor `http`.
pub fn receiver_finish(
    conn: &mut PgConnection,
    tenants: Option<&[i32]>,
    report: &Report,
    actor: &Actor,
) -> Result<Received> {
    let Some(job) = lock(conn, tenants, report.id, report.fence)? else {
        return Ok(Received::FencedOut);
    };
    if job.state == JobState::Suspended {
        return Ok(Received::Suspended);
    }
    // Who spoke for the worker. Not a transition: those are recorded as they are for any worker.
    record(
        conn,
        &[Record {
            job: report.id,
            worker: Some(job.worker),
            tenant: job.tenant,
            attempt: job.attempt,
            event: "reported",
            was: Some(job.state),
            state: Some(job.state),
            actor: &actor.name,
            via: actor.via.as_str(),
            reason: None,
            detail: None,
        }],
    )?;
    let rows = report
        .output
        .as_ref()
        .map(|output| output.row(report.id, report.fence, job.attempt));
    save_output(conn, job.worker, rows.as_slice())?;
    let settled = settle(
        conn,
        job.worker,
        &[ops::Report {
            id: report.id,
            fence: report.fence,
            verdict: report.said.verdict(job.attempt, job.backoff.as_deref()),
        }],
    )?;
    // The worker that waits for this job need not wait until its next heartbeat.
    hint_worker(conn, job.worker)?;
    Ok(match settled.first() {
        Some(Settled::Now(state)) => Received::Now(*state),
        Some(Settled::Held) => Received::Suspended,
        Some(Settled::Stale) | None => Received::FencedOut,
    })
}

/// Keeps what a receiver shows of a job, in the caller's transaction, and answers what is wanted of it; `None` when it is
/// fenced out.
///
/// # Errors
/// As [`receiver_finish`].
pub fn receiver_beat(
    conn: &mut PgConnection,
    tenants: Option<&[i32]>,
    key: (i64, i32),
    output: Option<&Output>,
    progress: Option<&ProgressRow>,
) -> Result<Option<Wanted>> {
    let (id, fence) = key;
    let Some(job) = lock(conn, tenants, id, fence)? else {
        return Ok(None);
    };
    let rows = output.map(|output| output.row(id, fence, job.attempt));
    save_output(conn, job.worker, rows.as_slice())?;
    let rows = progress.map(|row| ProgressRow {
        attempt: job.attempt,
        ..row.clone()
    });
    save_progress(conn, job.worker, rows.as_slice())?;
    Ok(Some(Wanted {
        cancel: job.state == JobState::Cancelling,
        suspend: job.state == JobState::Suspended,
    }))
}

/// Locks a job that is held under that fence. `None` when it is held under another one, or by nobody, or has ended.
fn lock(
    conn: &mut PgConnection,
    tenants: Option<&[i32]>,
    id: i64,
    fence: i32,
) -> Result<Option<Held>> {
    type Columns = (
        Integer,
        sql::JobState,
        Nullable<BigInt>,
        SmallInt,
        Integer,
        Text,
        Text,
        Nullable<Text>,
    );
    type Row = (
        i32,
        JobState,
        Option<i64>,
        i16,
        i32,
        String,
        String,
        Option<String>,
    );
    let row = stmt::<Columns>(
        "-- receiver_lock
         select j.tenant, j.state, j.worker, j.attempt, j.fence, j.kind, k.executor, k.backoff::text
         from belay.job j join belay.kind k on k.name = j.kind where j.id = $1 and ($2 is null or j.tenant = any ($2)) for update of j",
    )
    .bind::<BigInt, _>(id)
    .bind::<Nullable<Array<Integer>>, _>(tenants)
    .get_result::<Row>(conn)
    .optional()?;
    let Some((tenant, state, worker, attempt, now, kind, executor, backoff)) = row else {
        // A job that has ended is told apart from one that never was, to whoever may see it.
        let known = match tenants {
            None => finished_state(conn, None, id)?.is_some(),
            Some(tenants) => {
                let mut found = false;
                for tenant in tenants {
                    found = found || finished_state(conn, Some(*tenant), id)?.is_some();
                }
                found
            }
        };
        return if known {
            Ok(None)
        } else {
            Err(Error::missing(format!("job {id}")))
        };
    };
    if executor != EXECUTOR {
        return Err(Error::Refused {
            state: Some(state),
            message: format!(
                "job {id} is of the kind {kind:?}, which is run by the executor {executor:?}: only jobs of the executor http are reported on \
                 like this"
            ),
        });
    }
    let held = matches!(
        state,
        JobState::Running | JobState::Suspended | JobState::Cancelling
    );
    Ok(worker.filter(|_| held && now == fence).map(|worker| Held {
        tenant,
        state,
        worker,
        attempt,
        backoff,
    }))
}
