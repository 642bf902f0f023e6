//! What every remote worker has to do, whatever language it is written in: the same cases, run for each language in turn.
//!
//! A worker of the suite is a program that registers the kinds `conf.*` (see `deploy/workers/python/conformance.py`) with what it finds in
//! the variables `BELAY_URL`, `BELAY_KEY`, `CONF_SLOTS`, `CONF_LEASE_S`, `CONF_DRAIN_S` and `CONF_EVENTS`. A further language is one more
//! member of [`language::Language`] and one more line at the end of this file.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod cancelling;
mod daemon;
mod ending;
mod language;
mod losing;
mod program;
mod proxy;
mod stopping;
mod suspending;

use std::time::Duration;

/// Only a broken daemon or worker takes longer for anything.
const LONG: Duration = Duration::from_secs(60);

macro_rules! conformance {
    ($language:ident, $name:ident) => {
        conformance!($language, $name:
            ending::success_is_reported_with_what_was_written,
            ending::a_failure_is_retried_after_its_backoff,
            ending::a_failure_may_name_its_own_delay,
            ending::a_failure_without_retry_is_final,
            ending::what_nobody_thought_of_is_a_failure,
            ending::an_attempt_over_its_time_has_timed_out,
            ending::a_snoozed_job_comes_back_with_its_attempt,
            ending::output_is_bounded_and_always_text,
            ending::a_report_that_meets_a_lock_is_repeated,
            ending::many_jobs_through_few_slots_end_once_each,
            cancelling::before_its_start_it_never_starts,
            cancelling::a_running_job_is_told_at_once,
            cancelling::without_events_the_beat_tells,
            cancelling::what_ignores_the_cancel_ends_as_cancelled,
            cancelling::a_second_cancel_changes_nothing,
            suspending::a_suspended_job_stands_still_and_goes_on,
            suspending::a_report_on_a_suspended_job_waits,
            suspending::a_suspended_job_can_be_cancelled,
            losing::a_frozen_worker_reports_nothing_that_counts,
            losing::a_frozen_worker_begins_anew,
            losing::an_answer_that_is_read_too_late_starts_nothing,
            losing::the_jobs_of_a_killed_worker_go_to_another,
            losing::a_worker_outlives_the_daemon,
            losing::what_a_lost_claim_gave_goes_back,
            losing::a_report_is_repeated_until_it_is_answered,
            losing::jobs_stop_before_the_lease_is_over,
            stopping::what_runs_may_end_and_what_waits_stays,
            stopping::what_does_not_end_in_time_is_given_back,
        );
    };
    ($language:ident, $name:ident: $($module:ident::$case:ident,)*) => {
        mod $name {
            use crate::language::Language::$language;
            $(#[test]
            fn $case() {
                crate::$module::$case($language);
            })*
        }
    };
}

conformance!(Python, python);
conformance!(TypeScript, typescript);
