//! A report on an attempt, as remote workers and receivers of the executor `http` write it.

use belay_core::JobState;
use belay_core::ops::Rung;
use belay_core::ops::remote::{Report, Said};

use super::shown;
use crate::http::{Fault, Members};

const OUTCOMES: &str = "completed, failed, cancelled or snoozed";

/// Takes a report on the job `id` out of an object. `place` is where the object is in the body, with a dot at its end, or empty.
pub(super) fn take(members: &mut Members<'_>, id: i64, place: &str) -> Result<Report, Fault> {
    let fence = fence(members)?;
    let outcome = members.needed_text("outcome")?;
    let said = match outcome.as_str() {
        "completed" => Said::Completed,
        "failed" => {
            let error = members.text("error")?;
            let timed_out = members.flag("timed_out")?;
            let rung = rung(members, place)?;
            Said::Failed {
                error: error.unwrap_or_else(|| "its worker did not say why".to_owned()),
                retry: members.choice("retry", true)?,
                delay_s: members.seconds("delay_s")?,
                timed_out: timed_out.then_some(rung),
            }
        }
        "cancelled" => Said::Cancelled {
            rung: rung(members, place)?,
        },
        "snoozed" => Said::Snoozed {
            delay_s: members.seconds("delay_s")?.ok_or_else(|| {
                let path = format!("{place}delay_s");
                Fault::invalid(
                    &path,
                    format!("{path} is missing; a job that is snoozed needs to know for how many seconds"),
                )
            })?,
        },
        other => {
            let path = format!("{place}outcome");
            let shown = crate::http::shorten(other);
            return Err(Fault::invalid(
                &path,
                format!("{path} is {shown:?}, it must be {OUTCOMES}"),
            ));
        }
    };
    Ok(Report {
        id,
        fence,
        said,
        output: shown::output(members, place)?,
    })
}

/// The fence that goes with a job.
pub(super) fn fence(members: &mut Members<'_>) -> Result<i32, Fault> {
    let fence = members.needed_within("fence", 0, i64::from(i32::MAX))?;
    Ok(i32::try_from(fence).unwrap_or(i32::MAX))
}

fn rung(members: &mut Members<'_>, place: &str) -> Result<Rung, Fault> {
    match members.text("rung")?.as_deref() {
        None | Some("cooperative") => Ok(Rung::Cooperative),
        Some("term") => Ok(Rung::Term),
        Some("kill") => Ok(Rung::Kill),
        Some(other) => {
            let path = format!("{place}rung");
            let shown = crate::http::shorten(other);
            Err(Fault::invalid(
                &path,
                format!("{path} is {shown:?}, it must be cooperative, term or kill"),
            ))
        }
    }
}

/// What became of a job, for the figures.
pub(super) const fn outcome(state: JobState, said: &Said) -> Option<belay_metrics::JobOutcome> {
    use belay_metrics::JobOutcome;
    match (state, said) {
        (JobState::Completed, _) => Some(JobOutcome::Completed),
        (JobState::Failed, _) => Some(JobOutcome::Failed),
        (JobState::Cancelled, _) => Some(JobOutcome::Cancelled),
        (_, Said::Failed { .. }) => Some(JobOutcome::Retried),
        (_, Said::Snoozed { .. }) => Some(JobOutcome::Snoozed),
        (_, Said::Cancelled { .. }) => Some(JobOutcome::Released),
        (_, Said::Completed) => None,
    }
}
