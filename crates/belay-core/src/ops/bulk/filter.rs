//! Which jobs a bulk action is about: the payload of `cancel_jobs` and `retry_jobs`, read strictly. A misspelt member must
//! not act on everything.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::state::JobState;

const MEMBERS: &str = "queue, kind, state, created_before and created_after";

/// What is done to the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BulkKind {
    /// Unfinished jobs are cancelled.
    Cancel,
    /// Finished jobs are retried: a new job is made for each.
    Retry,
}

impl BulkKind {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Cancel, Self::Retry];

    /// The kind of job that does it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel_jobs",
            Self::Retry => "retry_jobs",
        }
    }

    /// What jobs of that kind do, if they are bulk actions.
    #[must_use]
    pub fn of(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bulk| bulk.name() == kind)
    }

    /// The states that can be named. What is being cancelled cannot be cancelled again.
    const fn states(self) -> &'static [JobState] {
        match self {
            Self::Cancel => &[
                JobState::Open,
                JobState::Scheduled,
                JobState::Queued,
                JobState::Running,
                JobState::Suspended,
            ],
            Self::Retry => &[JobState::Failed, JobState::Cancelled, JobState::Completed],
        }
    }

    /// The states that are meant when none is named.
    const fn usual_states(self) -> &'static [JobState] {
        match self {
            Self::Cancel => self.states(),
            Self::Retry => &[JobState::Failed],
        }
    }
}

/// Which jobs of the bulk job's own tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkFilter {
    /// What is done to them.
    pub bulk: BulkKind,
    /// Only of this queue.
    pub queue: Option<String>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only those that are in one of these states when their turn comes.
    pub states: Vec<JobState>,
    /// Only those made at this time or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Only those made before this time.
    pub created_before: Option<DateTime<Utc>>,
}

impl BulkFilter {
    /// Reads a filter from the text of a payload.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything but an object with at least one of the members that are known, and no other.
    pub fn parse(bulk: BulkKind, payload: &str) -> Result<Self> {
        let Ok(Value::Object(mut members)) = serde_json::from_str(payload) else {
            return Err(invalid(format!(
                "{} needs a JSON object with at least one of {MEMBERS}",
                bulk.name()
            )));
        };
        if members.is_empty() {
            return Err(invalid(format!(
                "{} without a filter would act on everything: give at least one of {MEMBERS}",
                bulk.name()
            )));
        }
        let filter = Self {
            bulk,
            queue: text(&mut members, "queue")?,
            kind: text(&mut members, "kind")?,
            states: states(&mut members, bulk)?,
            created_from: time(&mut members, "created_after")?,
            created_before: time(&mut members, "created_before")?,
        };
        match members.keys().next() {
            None => Ok(filter),
            Some(unknown) => Err(invalid(format!(
                "unknown member {}; {} knows {MEMBERS}",
                shown(&Value::from(unknown.as_str())),
                bulk.name()
            ))),
        }
    }
}

fn invalid(message: String) -> Error {
    Error::invalid("payload", message)
}

/// The beginning of a value, for a message.
fn shown(value: &Value) -> String {
    const MOST: usize = 60;
    let text = value.to_string();
    let mut shown: String = text.chars().take(MOST).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

fn wrong(name: &str, value: &Value, what: &str) -> Error {
    invalid(format!("{name} is {}, it must be {what}", shown(value)))
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() && !text.contains('\0') => Ok(Some(text)),
        Some(other) => Err(wrong(name, &other, "a string that is not empty")),
    }
}

fn time(members: &mut Map<String, Value>, name: &str) -> Result<Option<DateTime<Utc>>> {
    let Some(value) = members.remove(name) else {
        return Ok(None);
    };
    value
        .as_str()
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        .map(|time| Some(time.to_utc()))
        .ok_or_else(|| {
            wrong(
                name,
                &value,
                "a time with its offset, such as \"2026-12-24T18:00:00Z\"",
            )
        })
}

fn states(members: &mut Map<String, Value>, bulk: BulkKind) -> Result<Vec<JobState>> {
    let Some(value) = members.remove("state") else {
        return Ok(bulk.usual_states().to_vec());
    };
    let what = || {
        let words: Vec<&str> = bulk.states().iter().map(|state| state.as_str()).collect();
        format!("one of {} or a list of them", words.join(", "))
    };
    let words: Vec<&Value> = match &value {
        Value::Array(words) if !words.is_empty() => words.iter().collect(),
        word => vec![word],
    };
    let mut states = Vec::new();
    for word in words {
        let state = word
            .as_str()
            .and_then(|word| word.parse::<JobState>().ok())
            .filter(|state| bulk.states().contains(state))
            .ok_or_else(|| wrong("state", &value, &what()))?;
        if !states.contains(&state) {
            states.push(state);
        }
    }
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bulk: BulkKind, payload: &str) -> String {
        match BulkFilter::parse(bulk, payload) {
            Err(Error::Invalid {
                field: "payload",
                message,
            }) => message,
            other => panic!("{payload}: {other:?}"),
        }
    }

    #[test]
    fn members_are_read() {
        let filter = BulkFilter::parse(
            BulkKind::Cancel,
            r#"{"queue": "mail", "kind": "send", "state": ["queued", "scheduled", "queued"],
                "created_after": "2026-11-01T01:00:00+01:00", "created_before": "2026-12-01T00:00:00Z"}"#,
        )
        .unwrap();
        assert_eq!(
            filter,
            BulkFilter {
                bulk: BulkKind::Cancel,
                queue: Some("mail".into()),
                kind: Some("send".into()),
                states: vec![JobState::Queued, JobState::Scheduled],
                created_from: Some("2026-11-01T00:00:00Z".parse().unwrap()),
                created_before: Some("2026-12-01T00:00:00Z".parse().unwrap()),
            }
        );
    }

    #[test]
    fn states_that_are_not_named_are_the_usual_ones() {
        let of = |bulk| BulkFilter::parse(bulk, r#"{"kind": "x"}"#).unwrap().states;
        assert_eq!(of(BulkKind::Retry), [JobState::Failed]);
        assert_eq!(of(BulkKind::Cancel), JobState::ALL[..5]);
        let one = BulkFilter::parse(BulkKind::Retry, r#"{"state": "completed"}"#).unwrap();
        assert_eq!(one.states, [JobState::Completed]);
    }

    #[test]
    fn what_is_no_filter_is_refused_in_words() {
        for (payload, part) in [
            ("{}", "without a filter would act on everything"),
            ("[]", "needs a JSON object"),
            ("null", "needs a JSON object"),
            ("7", "needs a JSON object"),
            (r#"{"queues": "a"}"#, "unknown member \"queues\""),
            (
                r#"{"queue": "a", "tenant": 2}"#,
                "unknown member \"tenant\"",
            ),
            (r#"{"queue": 7}"#, "queue is 7, it must be a string"),
            (r#"{"queue": ""}"#, "queue is \"\""),
            (r#"{"queue": "a\u0000"}"#, "queue is \"a\\u0000\""),
            (r#"{"kind": null}"#, "kind is null"),
            (r#"{"state": "done"}"#, "state is \"done\""),
            (r#"{"state": []}"#, "state is []"),
            (r#"{"state": ["queued", 1]}"#, "state is [\"queued\",1]"),
            (
                r#"{"state": "failed"}"#,
                "it must be one of open, scheduled",
            ),
            (r#"{"state": "cancelling"}"#, "state is \"cancelling\""),
            (
                r#"{"created_before": "2026-12-24"}"#,
                "created_before is \"2026-12-24\"",
            ),
            (r#"{"created_after": 0}"#, "created_after is 0"),
        ] {
            let message = message(BulkKind::Cancel, payload);
            assert!(message.contains(part), "{payload}: {message}");
        }
        let unfinished = message(BulkKind::Retry, r#"{"state": "queued"}"#);
        assert!(
            unfinished.contains("failed, cancelled, completed"),
            "{unfinished}"
        );
    }

    #[test]
    fn kinds_have_names() {
        for bulk in BulkKind::ALL {
            assert_eq!(BulkKind::of(bulk.name()), Some(bulk));
        }
        assert_eq!(BulkKind::of("noop"), None);
    }
}
