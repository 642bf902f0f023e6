//! What the two lists of jobs have in common.

use belay_core::JobState;
use belay_core::model::Job;
use belay_core::query::JobFilter;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::answer::answer;
use super::job::caller;
use super::map;
use super::versions::path_of;
use super::wire::{Details, JobLine, Jobs, Status};
use crate::http::{Answer, Call, Fault, Query};
use crate::service;
use crate::time::Time;

/// Jobs on a page when the client does not say.
pub(super) const USUAL_PAGE: i64 = 50;
/// Jobs on a page at most.
const LARGEST_PAGE: i64 = 200;

/// How times are written in the query.
const TIME: &str = "%Y-%m-%dT%H:%M:%SZ";

/// One of the two lists.
pub(super) struct List {
    /// Its place below `/services/jobs`.
    pub(super) name: &'static str,
    /// Every state of the jobs in it.
    pub(super) states: fn(JobState) -> bool,
    /// The states that a word means.
    pub(super) word: fn(&str) -> Option<&'static [JobState]>,
    /// The words there are.
    pub(super) words: &'static str,
}

/// A page of a list.
pub(super) async fn page(call: Call, list: &List) -> Answer {
    let query = call.query(&["start_date", "end_date", "status", "limit", "offset"])?;
    let limit = number(&query, "limit", 1..=LARGEST_PAGE, USUAL_PAGE)?;
    let offset = number(&query, "offset", 0..=i64::MAX - LARGEST_PAGE, 0)?;
    let filter = filter(&query, list)?;
    let caller = caller(&call).await?;
    // A word that means no state of ours: no states would mean all of them.
    let (jobs, total) = if filter.states.is_empty() {
        (Vec::new(), 0)
    } else {
        call.request
            .database(move |db| service::read::page(db, &caller, &filter, offset, limit))
            .await?
    };
    let url = |offset: i64| {
        let mut url = path_of(&call.request, &format!("/services/jobs/{}?", list.name));
        for name in ["start_date", "end_date", "status"] {
            if let Some(value) = query.text(name) {
                // Found to be a time or one of the words, so nothing in it needs to be escaped.
                url.push_str(&format!("{name}={value}&"));
            }
        }
        url.push_str(&format!("limit={limit}&offset={offset}"));
        url
    };
    let next = offset.saturating_add(limit);
    answer(
        &call.request,
        &Jobs {
            response_status: Status::Success,
            response_message: "OK",
            url: url(offset),
            response_details: Details {
                total,
                limit,
                offset,
                next_page: (next < total).then(|| url(next)),
                previous_page: (offset > 0).then(|| url((offset - limit).max(0))),
            },
            jobs: jobs.into_iter().map(line).collect(),
        },
    )
}

fn filter(query: &Query, list: &List) -> Result<JobFilter, Fault> {
    let states = match query.text("status") {
        None => JobState::ALL
            .into_iter()
            .filter(|state| (list.states)(*state))
            .collect(),
        Some(word) => (list.word)(word)
            .ok_or_else(|| wrong("status", word, list.words))?
            .to_vec(),
    };
    Ok(JobFilter {
        states,
        created_from: time(query, "start_date")?,
        // The moment that is named still belongs to it.
        created_before: time(query, "end_date")?
            .and_then(|end| end.checked_add_signed(TimeDelta::microseconds(1))),
        without_payload: true,
        ..JobFilter::default()
    })
}

fn number(
    query: &Query,
    name: &str,
    range: std::ops::RangeInclusive<i64>,
    usual: i64,
) -> Result<i64, Fault> {
    let Some(text) = query.text(name) else {
        return Ok(usual);
    };
    text.parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            let what = if name == "limit" {
                format!("a number from {} to {}", range.start(), range.end())
            } else {
                "a number, 0 or more".to_owned()
            };
            wrong(name, text, &what)
        })
}

fn time(query: &Query, name: &str) -> Result<Option<DateTime<Utc>>, Fault> {
    let Some(text) = query.text(name) else {
        return Ok(None);
    };
    NaiveDateTime::parse_from_str(text, TIME)
        .ok()
        .map(|time| time.and_utc())
        // One spelling only, with a year of four digits.
        .filter(|time| text.len() == 20 && time.format(TIME).to_string() == text)
        .map(Some)
        .ok_or_else(|| wrong(name, text, "a time such as 2026-12-24T18:00:00Z"))
}

fn wrong(name: &str, value: &str, what: &str) -> Fault {
    let shown: String = value.chars().take(60).collect();
    Fault::malformed(format!(
        "Invalid value [{shown}] for parameter [{name}]: it must be {what}"
    ))
}

fn line(job: Job) -> JobLine {
    let cancel = job.cancel();
    let touched = [
        Some(job.created_at),
        job.claimed_at,
        cancel.as_ref().map(|mark| mark.at),
        job.finished_at,
    ];
    JobLine {
        job_id: job.id,
        status: map::status(job.state),
        created_date: Time(job.created_at),
        modified_by: cancel.map_or_else(|| job.created_by.clone(), |mark| mark.actor),
        modified_date: Time(
            touched
                .into_iter()
                .flatten()
                .max()
                .unwrap_or(job.created_at),
        ),
        run_start_date: Time(job.started_at.unwrap_or(job.run_at)),
        run_end_date: job.finished_at.map(Time),
        title: job.kind,
        created_by: job.created_by,
    }
}
