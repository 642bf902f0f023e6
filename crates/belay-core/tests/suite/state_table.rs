//! Every state and every event, through the real operations: the database does what the table says and nothing else.

use std::collections::BTreeSet;

use belay_core::JobState;
use belay_core::ops::{self, CancelLimit, Verdict};
use belay_core::state::{Event, TRANSITIONS, next};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    Made, TENANT, claim_from, facts, fail, fail_for_good, in_an_hour, job, killed, make_from, me,
    new_job, on_line, report, run, snooze, state, texts,
};

/// What somebody can do to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Close,
    CloseForLater,
    Promote,
    StartNow,
    Claim,
    CompleteBatch,
    ReportSuccess,
    ReportFailure,
    ReportFailureWithAttemptsLeft,
    ReportSnooze,
    ReportStopped,
    Rescue,
    RescueWithoutAttempts,
    Suspend,
    Resume,
    Cancel,
}

impl Deed {
    const ALL: [Self; 16] = [
        Self::Close,
        Self::CloseForLater,
        Self::Promote,
        Self::StartNow,
        Self::Claim,
        Self::CompleteBatch,
        Self::ReportSuccess,
        Self::ReportFailure,
        Self::ReportFailureWithAttemptsLeft,
        Self::ReportSnooze,
        Self::ReportStopped,
        Self::Rescue,
        Self::RescueWithoutAttempts,
        Self::Suspend,
        Self::Resume,
        Self::Cancel,
    ];

    /// The event this is for a job in `state`. Every report on a job that is being cancelled says that it has stopped.
    fn event(self, state: JobState) -> Event {
        match self {
            Self::Close => Event::Close,
            Self::CloseForLater => Event::CloseForLater,
            Self::Promote | Self::StartNow => Event::Promote,
            Self::Claim => Event::Claim,
            Self::CompleteBatch
            | Self::ReportSuccess
            | Self::ReportFailure
            | Self::ReportFailureWithAttemptsLeft
            | Self::ReportSnooze
            | Self::ReportStopped
                if state == JobState::Cancelling =>
            {
                Event::Stopped
            }
            Self::CompleteBatch | Self::ReportSuccess => Event::Complete,
            Self::ReportFailure => Event::Fail,
            Self::ReportFailureWithAttemptsLeft | Self::ReportSnooze | Self::ReportStopped => {
                Event::Reschedule
            }
            Self::Rescue => Event::LeaseLost,
            Self::RescueWithoutAttempts => Event::LeaseLostForGood,
            Self::Suspend => Event::Suspend,
            Self::Resume => Event::Resume,
            Self::Cancel => Event::Cancel,
        }
    }

    /// Whether the transition is kept in columns of the job and not in the record.
    fn is_ordinary(self, state: JobState) -> bool {
        matches!(self, Self::Claim | Self::Promote) || self.event(state) == Event::Complete
    }

    /// Makes a job for which only its state can be a reason to refuse this.
    fn make(self, conn: &mut PgConnection, from: JobState) -> Made {
        let mut new = new_job();
        if self == Self::RescueWithoutAttempts {
            new.max_attempts = Some(1);
        }
        if (from, self) == (JobState::Open, Self::CloseForLater) {
            new.run_at = in_an_hour();
        }
        if (from, self) == (JobState::Scheduled, Self::Promote) {
            // Due at once.
            let made = make_from(conn, JobState::Running, new);
            report(conn, made, fail("try again", 0.0));
            return made;
        }
        make_from(conn, from, new)
    }

    /// Does it. Whether it is refused is for the test to see in the database.
    fn act(self, conn: &mut PgConnection, made: Made) {
        let Made { id, worker, fence } = made;
        let tenant = Some(TENANT);
        let by = me();
        match self {
            Self::Close | Self::CloseForLater => {
                let _ = conn.transaction(|conn| ops::close(conn, tenant, id, &by));
            }
            Self::Promote => {
                ops::promote(conn, 100).unwrap();
            }
            Self::StartNow => {
                let _ = conn.transaction(|conn| ops::start_now(conn, tenant, id, &by, None));
            }
            Self::Claim => {
                let queue = job(conn, id).queue;
                claim_from(conn, worker, &queue, 10);
            }
            Self::CompleteBatch => {
                ops::complete(conn, worker, &[(id, fence)]).unwrap();
            }
            Self::ReportSuccess => {
                report(conn, made, Verdict::Completed);
            }
            Self::ReportFailure => {
                report(conn, made, fail_for_good("no"));
            }
            Self::ReportFailureWithAttemptsLeft => {
                report(conn, made, fail("not yet", 5.0));
            }
            Self::ReportSnooze => {
                report(conn, made, snooze(5.0));
            }
            Self::ReportStopped => {
                report(conn, made, killed("the worker ends"));
            }
            Self::Rescue | Self::RescueWithoutAttempts => {
                ops::stop(conn, worker).unwrap();
                conn.transaction(|conn| ops::rescue(conn, 100, true))
                    .unwrap();
            }
            Self::Suspend => {
                let _ = conn.transaction(|conn| ops::suspend(conn, tenant, id, &by, None));
            }
            Self::Resume => {
                let _ = conn.transaction(|conn| ops::resume(conn, tenant, id, &by, None));
            }
            Self::Cancel => {
                ops::cancel_one(conn, tenant, id, &by, Some("enough"), CancelLimit::Any).unwrap();
            }
        }
    }
}

#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for from in JobState::ALL {
        for deed in Deed::ALL {
            let case = format!("{deed:?} of a job that is {from}");
            let made = deed.make(conn, from);
            assert_eq!(state(conn, made.id), from, "making: {case}");
            let before = facts(conn, made.id);
            deed.act(conn, made);
            let after = facts(conn, made.id);
            match next(from, deed.event(from)) {
                None => assert_eq!(before, after, "{case} must change nothing"),
                Some(to) => {
                    assert_eq!(state(conn, made.id), to, "{case}");
                    let lines = |facts: &serde_json::Value| {
                        facts["job_event"].as_array().map_or(0, Vec::len)
                    };
                    let expected = usize::from(!deed.is_ordinary(from));
                    assert_eq!(
                        lines(&after) - lines(&before),
                        expected,
                        "record of: {case}"
                    );
                }
            }
            // The next case is alone with what it makes. Finished jobs disturb nobody.
            run(conn, "delete from belay.job; delete from belay.worker");
        }
    }
}

/// A pair for which nothing that anybody can do stands must be illegal in the table as well.
#[test]
fn every_pair_of_the_table_is_tried() {
    for state in JobState::ALL {
        for event in Event::ALL {
            let tried = Deed::ALL.iter().any(|deed| deed.event(state) == event);
            assert!(
                tried || next(state, event).is_none(),
                "{event:?} of a job that is {state} is legal and nothing tries it"
            );
        }
    }
}

#[test]
fn the_table_in_the_database_is_the_table_in_the_program() {
    let db = TestDb::new();
    let theirs = texts(
        &mut db.conn(),
        "select coalesce(was::text, 'new') || ' > ' || state from belay.transitions()",
    );
    let created = [JobState::Open, JobState::Scheduled, JobState::Queued];
    let ours: BTreeSet<String> = TRANSITIONS
        .iter()
        .map(|(was, _, now)| format!("{was} > {now}"))
        .chain(created.iter().map(|now| format!("new > {now}")))
        .collect();
    assert_eq!(theirs.len(), ours.len(), "a pair stands twice: {theirs:?}");
    assert_eq!(theirs.into_iter().collect::<BTreeSet<_>>(), ours);
}

#[test]
fn the_type_in_the_database_has_the_states_of_the_program() {
    let db = TestDb::new();
    let labels = texts(
        &mut db.conn(),
        "select unnest(enum_range(null::belay.job_state))::text",
    );
    assert_eq!(labels, JobState::ALL.map(|state| state.as_str().to_owned()));
}

/// A claim takes what is queued in the line and nothing else that stands there.
#[test]
fn a_claim_passes_over_everything_in_its_line_that_is_not_queued() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let mut line = Vec::new();
    for state in JobState::ALL {
        let made = make_from(conn, state, new_job());
        let queue = job(conn, made.id).queue;
        line.push(on_line(&queue, "sleep", 5));
    }
    let worker = crate::common::register(conn);
    let claimed = ops::claim(conn, worker, &line, 100).unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].line.queue, line[2].line.queue);
}
