//! Cancel: the reason this system exists.
//!
//! Locks the rows named, in ascending id order, and acts in a second statement by `ctid`, inside one function of the
//! database. What waits is moved to `job_done` as `cancelled` in the same transaction; what runs becomes `cancelling`,
//! from where the only way leads to `cancelled`. A completion that holds the row first wins and is answered as `refused`;
//! one that comes later finds `cancelling` and can only end the job as `cancelled`. So an accepted cancel cannot be lost.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};

use super::{Actor, check_reason};
use crate::error::{Error, Result};
use crate::state::{JobState, sql};
use crate::stmt::stmt;

/// Most ids in one [`cancel_many`].
pub const MAX_CANCEL: usize = 500;

/// Which jobs the caller may cancel. What is not allowed is answered as [`Outcome::Refused`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelLimit {
    /// Whatever has not finished.
    Any,
    /// Only what is not running now.
    Waiting,
    /// Only what never ran.
    NeverStarted,
}

impl CancelLimit {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Waiting => "waiting",
            Self::NeverStarted => "never_started",
        }
    }
}

/// What a cancel did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The job was waiting. It has ended and will never run.
    Cancelled,
    /// The job is running. Its worker is told to stop, and the job can only end as cancelled.
    Cancelling,
    /// It had been cancelled before; nothing changed.
    Already,
    /// It had finished, or the caller's limit forbids it; nothing changed.
    Refused,
    /// There is no such job in the tenant.
    Missing,
}

impl Outcome {
    /// The word used in every native answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Cancelling => "cancelling",
            Self::Already => "already",
            Self::Refused => "refused",
            Self::Missing => "missing",
        }
    }

    /// Whether this call's cancel was accepted.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Cancelled | Self::Cancelling)
    }

    fn parse(word: &str) -> Self {
        match word {
            "cancelled" => Self::Cancelled,
            "cancelling" => Self::Cancelling,
            "already" => Self::Already,
            _ => Self::Refused,
        }
    }
}

/// The answer for one requested id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelAnswer {
    /// The id asked for.
    pub id: i64,
    /// State before; `None` when missing.
    pub was: Option<JobState>,
    /// State after; `None` when missing.
    pub state: Option<JobState>,
    /// What happened.
    pub outcome: Outcome,
    /// Whether the job ever ran.
    pub started: bool,
    /// Whether the same id stood earlier in the request.
    pub repeat: bool,
}

/// Cancels one job of a tenant (`None`: of any tenant).
///
/// # Errors
/// [`Error::Invalid`] for the reason; [`Error::Busy`] when another transaction holds the job too long. A job that cannot be
/// cancelled is an answer, not an error.
pub fn cancel_one(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
    actor: &Actor,
    reason: Option<&str>,
    limit: CancelLimit,
) -> Result<CancelAnswer> {
    let mut answers = cancel_many(conn, tenant, &[id], actor, reason, limit)?;
    answers
        .pop()
        .ok_or_else(|| Error::missing(format!("job {id}")))
}

/// Cancels up to [`MAX_CANCEL`] jobs in one transaction. One answer per id, in request order; a repeated id is answered as
/// `already` when its first mention was accepted.
///
/// # Errors
/// As [`cancel_one`], and [`Error::Invalid`] for more than [`MAX_CANCEL`] ids.
pub fn cancel_many(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    ids: &[i64],
    actor: &Actor,
    reason: Option<&str>,
    limit: CancelLimit,
) -> Result<Vec<CancelAnswer>> {
    check_reason(reason)?;
    if ids.len() > MAX_CANCEL {
        return Err(Error::invalid(
            "ids",
            format!(
                "{} ids at once, at most {MAX_CANCEL} are allowed",
                ids.len()
            ),
        ));
    }
    type Row = (i64, JobState, JobState, String, bool);
    let rows = stmt::<(BigInt, sql::JobState, sql::JobState, Text, Bool)>(
        "-- cancel
         select id, was, state, outcome, started from belay.op_cancel($1, $2, $3, $4, $5, $6)",
    )
    .bind::<Array<BigInt>, _>(ids)
    .bind::<Nullable<Integer>, _>(tenant)
    .bind::<Text, _>(&actor.name)
    .bind::<Nullable<Text>, _>(reason)
    .bind::<Text, _>(actor.via.as_str())
    .bind::<Text, _>(limit.as_str())
    .load::<Row>(conn)?;

    let found: HashMap<i64, (JobState, JobState, Outcome, bool)> = rows
        .into_iter()
        .map(|(id, was, state, outcome, started)| {
            (id, (was, state, Outcome::parse(&outcome), started))
        })
        .collect();
    let mut seen = std::collections::HashSet::with_capacity(ids.len());
    Ok(ids
        .iter()
        .map(|&id| {
            let repeat = !seen.insert(id);
            let Some(&(was, state, outcome, started)) = found.get(&id) else {
                return CancelAnswer {
                    id,
                    was: None,
                    state: None,
                    outcome: Outcome::Missing,
                    started: false,
                    repeat,
                };
            };
            let (was, outcome) = if repeat && outcome.is_accepted() {
                (state, Outcome::Already)
            } else {
                (was, outcome)
            };
            CancelAnswer {
                id,
                was: Some(was),
                state: Some(state),
                outcome,
                started,
                repeat,
            }
        })
        .collect())
}
