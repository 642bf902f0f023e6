//! What stopping a running job comes to, for the words of an answer.

use chrono::{DateTime, TimeDelta, Utc};

/// How a job whose cancel was accepted is being stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// What runs jobs of its kind.
    pub executor: String,
    /// When the cancel was accepted.
    pub since: DateTime<Utc>,
    /// How long it may take before it is forced, or counts as overdue where nothing can be forced. `None`: no time at all.
    pub grace: Option<TimeDelta>,
    /// When the lease of its worker ends unless it is renewed; `None` when its worker is known to be dead.
    pub lease_until: Option<DateTime<Utc>>,
}

impl Stop {
    /// When the grace ends.
    #[must_use]
    pub fn forced_at(&self) -> DateTime<Utc> {
        self.since
            .checked_add_signed(self.grace.unwrap_or_default())
            .unwrap_or(self.since)
    }

    /// Says what happens now, as the rest of a sentence about the job.
    #[must_use]
    pub fn words(&self) -> String {
        if self.lease_until.is_none() {
            return "its worker is gone, so it ends as soon as that is swept up".into();
        }
        let at = self.forced_at().format("%Y-%m-%dT%H:%M:%S%.3fZ");
        match self.executor.as_str() {
            "command" if self.grace.is_none_or(|grace| grace.is_zero()) => {
                "its worker was told to kill it with everything it has started".into()
            }
            "command" => format!(
                "its worker was told to stop; its processes get TERM, and whatever of them is left is killed at {at}"
            ),
            "http" => format!(
                "its worker was told to stop; the request is dropped and its receiver told, until {at} at the latest"
            ),
            "sql" => format!(
                "its worker was told to stop; its statement is cancelled, and its connection ended at {at} if that is not enough"
            ),
            "native" | "remote" => format!(
                "its worker was told to stop; nobody can force its code, which counts as overdue from {at} on"
            ),
            "external" => {
                "whoever took it is not reached; it ends with their report, or when their time to report is over"
                    .into()
            }
            _ => "its worker was told to stop".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(executor: &str, grace: Option<i64>) -> Stop {
        let since = DateTime::from_timestamp_millis(1_700_000_000_250).unwrap();
        Stop {
            executor: executor.into(),
            since,
            grace: grace.map(TimeDelta::seconds),
            lease_until: Some(since),
        }
    }

    #[test]
    fn it_says_when_force_is_used() {
        let words = stop("command", Some(10)).words();
        assert!(
            words.ends_with("is killed at 2023-11-14T22:13:30.250Z"),
            "{words}"
        );
        for executor in ["http", "sql", "native", "remote"] {
            let words = stop(executor, Some(10)).words();
            assert!(
                words.contains("2023-11-14T22:13:30.250Z"),
                "{executor}: {words}"
            );
        }
        assert_eq!(stop("builtin", None).words(), "its worker was told to stop");
        let words = stop("command", Some(0)).words();
        assert!(words.contains("told to kill"), "{words}");
    }

    #[test]
    fn a_worker_that_is_gone_is_not_told() {
        let mut gone = stop("command", Some(10));
        gone.lease_until = None;
        assert!(gone.words().contains("its worker is gone"));
    }
}
