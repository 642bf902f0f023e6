//! From how an attempt ended here to what is reported of it.

use std::time::Duration;

use belay_core::ops;

use crate::Backoff;
use crate::executors::{Finish, Rung, StopCause};

/// What is known of an attempt beside its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    /// Why it was told to stop, if it was.
    pub(crate) cause: Option<StopCause>,
    /// Its number, from 1.
    pub(crate) attempt: i16,
    /// Seconds it was allowed.
    pub(crate) timeout_s: Option<i32>,
    pub(crate) backoff: &'a Backoff,
    /// From 0 to 1.
    pub(crate) random: f64,
}

/// What is reported of an attempt that ended so.
pub(crate) fn verdict(finish: Finish, c: Circumstances<'_>) -> ops::Verdict {
    match finish {
        Finish::Completed => ops::Verdict::Completed,
        // Reported already, unless it is a light one, which has nothing to report in.
        Finish::Settled(_) => failed(
            "its executor says that it has reported by itself, which it cannot have done"
                .to_owned(),
            false,
            c,
        ),
        // Whoever it was handed to has the fence, and whoever has an older one is refused.
        Finish::Reported => failed(
            "its executor says that somebody else reports, which cannot be of this attempt"
                .to_owned(),
            false,
            c,
        ),
        Finish::Snoozed { delay } => ops::Verdict::Snoozed {
            delay_s: delay.max(Duration::from_millis(1)).as_secs_f64(),
        },
        Finish::Failed { error, retry } => match c.cause {
            // It saw the stop and gave up in its own words.
            Some(cause @ (StopCause::Timeout | StopCause::JobTimeout)) => {
                timed_out(cause, None, Some(&error), c)
            }
            _ => failed(error, retry, c),
        },
        Finish::RetryAfter { error, delay } => match c.cause {
            Some(cause @ (StopCause::Timeout | StopCause::JobTimeout)) => {
                timed_out(cause, None, Some(&error), c)
            }
            _ => ops::Verdict::Failed {
                error,
                delay_s: delay.max(Duration::from_millis(1)).as_secs_f64(),
                retry: true,
            },
        },
        Finish::Stopped { rung } => match c.cause {
            Some(cause @ (StopCause::Timeout | StopCause::JobTimeout)) => {
                timed_out(cause, Some(rung), None, c)
            }
            Some(cause) => ops::Verdict::Stopped {
                rung: rung.into(),
                cause: why(cause).to_owned(),
            },
            None => failed(
                "its executor stopped it without having been asked to".to_owned(),
                true,
                c,
            ),
        },
    }
}

fn failed(error: String, retry: bool, c: Circumstances<'_>) -> ops::Verdict {
    ops::Verdict::Failed {
        error,
        delay_s: c.backoff.delay(c.attempt, c.random).as_secs_f64(),
        retry,
    }
}

/// An attempt that was stopped because its time, or that of the job, was over. `words` are its own, when it gave up by itself.
fn timed_out(
    cause: StopCause,
    rung: Option<Rung>,
    words: Option<&str>,
    c: Circumstances<'_>,
) -> ops::Verdict {
    let of_job = cause == StopCause::JobTimeout;
    let mut error = if of_job {
        "timed out: the time for the whole job is over".to_owned()
    } else {
        format!("timed out after {} s", c.timeout_s.unwrap_or(0))
    };
    if let Some(words) = words {
        error = format!("{error}: {words}");
    }
    ops::Verdict::TimedOut {
        error,
        delay_s: c.backoff.delay(c.attempt, c.random).as_secs_f64(),
        retry: !of_job,
        rung: rung.unwrap_or(Rung::Cooperative).into(),
    }
}

/// The cause as it stands in the record.
pub(crate) const fn why(cause: StopCause) -> &'static str {
    match cause {
        StopCause::Cancel => "cancelled",
        StopCause::Timeout => "timed out",
        StopCause::JobTimeout => "the time for the whole job is over",
        StopCause::LeaseLost => "the worker lost its lease",
        StopCause::Shutdown => "the worker is shutting down",
    }
}

impl From<Rung> for ops::Rung {
    fn from(rung: Rung) -> Self {
        match rung {
            Rung::Cooperative => Self::Cooperative,
            Rung::Term => Self::Term,
            Rung::Kill => Self::Kill,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(finish: Finish, cause: Option<StopCause>) -> ops::Verdict {
        let backoff = Backoff::List {
            waits: vec![Duration::ZERO, Duration::from_secs(2)],
        };
        verdict(
            finish,
            Circumstances {
                cause,
                attempt: 2,
                timeout_s: Some(7),
                backoff: &backoff,
                random: 0.5,
            },
        )
    }

    fn failed(error: &str, retry: bool) -> ops::Verdict {
        ops::Verdict::Failed {
            error: error.into(),
            delay_s: 2.0,
            retry,
        }
    }

    fn timed_out(error: &str, retry: bool, rung: ops::Rung) -> ops::Verdict {
        ops::Verdict::TimedOut {
            error: error.into(),
            delay_s: 2.0,
            retry,
            rung,
        }
    }

    const STOPPED: Finish = Finish::Stopped { rung: Rung::Term };

    #[test]
    fn a_stop_is_reported_by_its_cause() {
        for (cause, expected) in [
            (
                Some(StopCause::Cancel),
                ops::Verdict::Stopped {
                    rung: ops::Rung::Term,
                    cause: "cancelled".into(),
                },
            ),
            (
                Some(StopCause::Shutdown),
                ops::Verdict::Stopped {
                    rung: ops::Rung::Term,
                    cause: "the worker is shutting down".into(),
                },
            ),
            (
                Some(StopCause::LeaseLost),
                ops::Verdict::Stopped {
                    rung: ops::Rung::Term,
                    cause: "the worker lost its lease".into(),
                },
            ),
            (
                Some(StopCause::Timeout),
                timed_out("timed out after 7 s", true, ops::Rung::Term),
            ),
            (
                Some(StopCause::JobTimeout),
                timed_out(
                    "timed out: the time for the whole job is over",
                    false,
                    ops::Rung::Term,
                ),
            ),
            (
                None,
                failed("its executor stopped it without having been asked to", true),
            ),
        ] {
            assert_eq!(after(STOPPED, cause), expected, "{cause:?}");
        }
    }

    #[test]
    fn results_are_reported_as_they_are_also_after_a_stop() {
        for cause in [None, Some(StopCause::Cancel), Some(StopCause::Shutdown)] {
            assert_eq!(after(Finish::Completed, cause), ops::Verdict::Completed);
            assert_eq!(
                after(
                    Finish::Failed {
                        error: "no".into(),
                        retry: false
                    },
                    cause
                ),
                failed("no", false)
            );
        }
        assert_eq!(
            after(
                Finish::Failed {
                    error: "interrupted".into(),
                    retry: false
                },
                Some(StopCause::Timeout)
            ),
            timed_out(
                "timed out after 7 s: interrupted",
                true,
                ops::Rung::Cooperative
            )
        );
    }

    #[test]
    fn a_wait_that_was_asked_for_goes_before_the_backoff() {
        let finish = Finish::RetryAfter {
            error: "busy".into(),
            delay: Duration::from_secs(90),
        };
        assert_eq!(
            after(finish, None),
            ops::Verdict::Failed {
                error: "busy".into(),
                delay_s: 90.0,
                retry: true
            }
        );
    }

    #[test]
    fn a_snooze_waits_at_least_a_millisecond() {
        assert_eq!(
            after(
                Finish::Snoozed {
                    delay: Duration::ZERO
                },
                None
            ),
            ops::Verdict::Snoozed { delay_s: 0.001 }
        );
    }
}
