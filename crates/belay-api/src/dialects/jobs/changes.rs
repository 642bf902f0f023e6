//! From the record of a job to the changes of its status, as this dialect calls it.

use belay_core::JobState;
use belay_core::model::{EventRow, Job};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::map::word;
use crate::time::Time;

/// A change of the status of a job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JobsStatusChange)]
pub(super) struct Change {
    /// Its place in the life of the job, from 1.
    #[schema(example = 2)]
    id: usize,
    /// The status from then on.
    #[schema(example = "cancelled")]
    status: &'static str,
    created_at: Time,
    #[schema(example = "the customer has moved")]
    comment: Option<String>,
}

/// The changes of a job, oldest first.
///
/// That a scheduled job came to its turn is part of its ordinary life and not on record. It is told with the time for which that
/// was planned, never earlier than what was before it nor later than what comes after.
pub(super) fn of(job: &Job, events: &[EventRow]) -> Vec<Change> {
    let mut changes = Changes {
        all: Vec::new(),
        due: planned_at_first(job, events),
    };
    changes.push(first_state(job, events), job.created_at, None);
    let mut said = None;
    for event in events {
        if event.event == "reported" {
            said.clone_from(&event.reason);
        }
        if let (Some(was), Some(state)) = (event.was, event.state) {
            changes.promoted(was, event.at);
            let comment = event.reason.clone().or_else(|| error(event));
            let comment = comment.or_else(|| said.clone().filter(|_| state.is_terminal()));
            changes.push(state, event.at, comment);
        }
        changes.due = next_turn(event).or(changes.due);
    }
    changes.promoted(job.state, Utc::now());
    changes.all
}

struct Changes {
    all: Vec<Change>,
    /// When the job was or is to have its turn, as far as known.
    due: Option<DateTime<Utc>>,
}

impl Changes {
    fn last(&self) -> Option<(&'static str, DateTime<Utc>)> {
        self.all
            .last()
            .map(|change| (change.status, change.created_at.0))
    }

    fn push(&mut self, state: JobState, at: DateTime<Utc>, comment: Option<String>) {
        let status = word(state);
        if self.last().is_none_or(|(last, _)| last != status) {
            self.all.push(Change {
                id: self.all.len().saturating_add(1),
                status,
                created_at: Time(at),
                comment,
            });
        }
    }

    /// The job stands in its line, at `now`: if it was scheduled last, it has had its turn in between.
    fn promoted(&mut self, state: JobState, now: DateTime<Utc>) {
        if let (JobState::Queued, Some((last, since))) = (state, self.last())
            && last == word(JobState::Scheduled)
        {
            let at = self.due.unwrap_or(now).min(now).max(since);
            self.push(JobState::Queued, at, None);
        }
    }
}

/// The state in which a job was made, which no column says.
fn first_state(job: &Job, events: &[EventRow]) -> JobState {
    let known = events
        .iter()
        .find_map(|event| event.was)
        .unwrap_or(job.state);
    let planned = planned_at_first(job, events).is_some_and(|at| at > job.created_at);
    match known {
        // It has had its turn since.
        JobState::Queued if planned => JobState::Scheduled,
        known => known,
    }
}

/// The time for which a job was planned when it was made; `None` when that has been overwritten.
fn planned_at_first(job: &Job, events: &[EventRow]) -> Option<DateTime<Utc>> {
    for event in events {
        match event.event.as_str() {
            "rescheduled" => return time(event, "run_at_before"),
            "started_now" | "attempt_failed" | "snoozed" | "released" => return None,
            _ => {}
        }
    }
    Some(job.run_at)
}

/// When a job has its turn after this event, if that changed it.
fn next_turn(event: &EventRow) -> Option<DateTime<Utc>> {
    let delay = match event.event.as_str() {
        "rescheduled" => return time(event, "run_at"),
        "attempt_failed" => "retry_in_s",
        "snoozed" => "delay_s",
        _ => return None,
    };
    let seconds = event.detail.as_ref()?.get(delay)?.as_f64()?;
    let wait = TimeDelta::from_std(std::time::Duration::try_from_secs_f64(seconds).ok()?).ok()?;
    event.at.checked_add_signed(wait)
}

fn time(event: &EventRow, name: &str) -> Option<DateTime<Utc>> {
    let text = event.detail.as_ref()?.get(name)?.as_str()?;
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

fn error(event: &EventRow) -> Option<String> {
    let text = event.detail.as_ref()?.get("error")?.as_str()?;
    Some(text.to_owned())
}
