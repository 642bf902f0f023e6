//! The life of a job, in order: what its columns say, and what was recorded.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::error::Result;
use crate::model::{EventRow, Job};
use crate::state::JobState;

/// Every transition of a job that can be read back, oldest first. Creation, the first and the latest claim and the completion
/// come from the job's columns, all else from the record.
///
/// # Errors
/// Those of the database.
pub fn timeline(conn: &mut PgConnection, job: &Job) -> Result<Vec<EventRow>> {
    let recorded: Vec<EventRow> = diesel::sql_query(
        "-- timeline
         select at, event, was, state, attempt, worker, actor, via, reason, detail from belay.job_event where job = $1 order by id",
    )
    .bind::<BigInt, _>(job.id)
    .load(conn)?;
    let mut all = vec![column(job, job.created_at, "created", None, None)];
    if let Some(at) = job.started_at {
        all.push(column(
            job,
            at,
            "claimed",
            Some(JobState::Queued),
            Some(JobState::Running),
        ));
        if let Some(latest) = job.claimed_at.filter(|latest| *latest != at) {
            all.push(column(
                job,
                latest,
                "claimed",
                Some(JobState::Queued),
                Some(JobState::Running),
            ));
        }
    }
    if let (Some(at), JobState::Completed) = (job.finished_at, job.state) {
        all.push(column(
            job,
            at,
            "completed",
            Some(JobState::Running),
            Some(JobState::Completed),
        ));
    }
    all.extend(recorded);
    // Stable: entries of one transaction keep the order in which they were recorded.
    all.sort_by_key(|entry| entry.at);
    Ok(all)
}

fn column(
    job: &Job,
    at: chrono::DateTime<chrono::Utc>,
    event: &str,
    was: Option<JobState>,
    state: Option<JobState>,
) -> EventRow {
    let created = event == "created";
    let first = event == "claimed" && job.started_at == Some(at) && job.claimed_at != Some(at);
    EventRow {
        at,
        event: event.to_owned(),
        was,
        state,
        attempt: if created {
            0
        } else if first {
            1
        } else {
            job.attempt
        },
        worker: if created || first { None } else { job.worker },
        actor: if created {
            job.created_by.clone()
        } else {
            job.worker
                .map_or_else(|| "a worker".to_owned(), |w| format!("worker {w}"))
        },
        via: if created {
            job.created_via.clone()
        } else {
            "worker".to_owned()
        },
        reason: None,
        detail: None,
    }
}
