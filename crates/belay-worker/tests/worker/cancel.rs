//! Cancels of running jobs: told quickly, and never lost.

use std::time::{Duration, Instant};

use crate::support::executors::{Waits, kind};
use crate::support::{Bench, PATIENCE, actor, config, end, sleep};
use belay_core::JobState;
use belay_core::ops::{self, NewJob, Outcome};
use belay_testkit::eventually;
use belay_worker::executors::{Control, Finish, StopCause};

#[test]
fn a_running_job_is_stopped_and_ends_as_cancelled() {
    let bench = Bench::new();
    let worker = bench.worker();
    let id = bench.enqueue(&sleep(600.0));
    bench.until(id, JobState::Running);
    assert_eq!(bench.cancel(id).outcome, Outcome::Cancelling);
    let job = bench.until(id, JobState::Cancelled);
    let cancel = job.cancel().unwrap();
    assert_eq!(cancel.rung.as_deref(), Some("cooperative"));
    assert_eq!(cancel.reason.as_deref(), Some("test"));
    assert_eq!(
        bench.events(id),
        ["created", "claimed", "cancel_requested", "cancelled"]
    );
    end(&worker);
    assert_eq!(
        bench.metric("belay_cancel_seconds_count{rung=\"cooperative\"}"),
        1.0
    );
    assert_eq!(bench.metric("belay_cancel_told_seconds_count"), 1.0);
}

/// The middle of some times from a cancel to when its job knew of it.
fn told(listen: bool, beat: Duration) -> Duration {
    let bench = Bench::new();
    let waits = Waits::then_stopped();
    let mut config = config();
    config.listen = listen;
    config.beat = beat;
    config.kinds.push(kind("waits", waits.clone()));
    let worker = bench.start(config);
    if listen {
        eventually(PATIENCE, || worker.status().listening.then_some(()));
    }
    let mut times = Vec::new();
    for n in 1..=11 {
        let id = bench.enqueue(&NewJob::new("waits"));
        eventually(PATIENCE, || (waits.started() == n).then_some(()));
        let asked = Instant::now();
        bench.cancel(id);
        let (at, control) = eventually(PATIENCE, || waits.told().get(n - 1).copied());
        assert_eq!(control, Control::Stop(StopCause::Cancel));
        times.push(at.saturating_duration_since(asked));
        bench.until(id, JobState::Cancelled);
    }
    end(&worker);
    times.sort_unstable();
    times[5]
}

#[test]
fn a_notification_tells_the_job_long_before_the_next_heartbeat() {
    let told = told(true, Duration::from_secs(2));
    assert!(told < Duration::from_millis(500), "{told:?}");
}

#[test]
fn without_notifications_the_next_heartbeat_tells_it() {
    let told = told(false, Duration::from_millis(200));
    assert!(told < Duration::from_secs(1), "{told:?}");
}

#[test]
fn work_that_finishes_in_spite_of_a_cancel_is_evidence_and_not_the_outcome() {
    let bench = Bench::new();
    let mut config = config();
    for (name, then) in [
        ("completes", Finish::Completed),
        (
            "fails",
            Finish::Failed {
                error: "broken".into(),
                retry: true,
            },
        ),
        (
            "snoozes",
            Finish::Snoozed {
                delay: Duration::from_secs(1),
            },
        ),
    ] {
        config.kinds.push(kind(name, Waits::then(then)));
    }
    let worker = bench.start(config);
    for name in ["completes", "fails", "snoozes"] {
        let id = bench.enqueue(&NewJob::new(name));
        bench.until(id, JobState::Running);
        bench.cancel(id);
        bench.until(id, JobState::Cancelled);
    }
    end(&worker);
    assert_eq!(
        bench.number("select count(*) as n from belay.job_event where detail ? 'finished_anyway'"),
        3
    );
}

#[test]
fn light_jobs_that_are_cancelled_in_passing_end_as_they_were_answered() {
    let bench = Bench::new();
    let worker = bench.worker();
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..20 {
        let ids = bench.enqueue_many(&vec![NewJob::new("noop"); 200]);
        let answers = bench
            .db
            .tx(|conn| ops::cancel_many(conn, None, &ids, &actor(), None, ops::CancelLimit::Any))
            .unwrap();
        for answer in answers {
            if answer.outcome.is_accepted() {
                accepted += 1;
            } else {
                assert_eq!(answer.outcome, Outcome::Refused);
                refused += 1;
            }
        }
    }
    eventually(PATIENCE, || {
        (bench.number("select count(*) as n from belay.job") == 0).then_some(())
    });
    end(&worker);
    assert_eq!(bench.count(JobState::Cancelled), accepted);
    assert_eq!(bench.count(JobState::Completed), refused);
}

#[test]
fn an_open_transaction_that_cancels_holds_back_nobody_else() {
    use diesel::connection::SimpleConnection;

    let bench = Bench::new();
    let waits = Waits::then(Finish::Completed);
    let mut config = config();
    config.kinds.push(kind("waits", waits.clone()));
    let worker = bench.start(config);
    let locked = bench.enqueue(&NewJob {
        timeout_s: Some(1),
        ..NewJob::new("waits")
    });
    bench.until(locked, JobState::Running);
    let mut user = bench.test.conn();
    user.batch_execute(&format!("begin; select belay.cancel({locked})"))
        .unwrap();
    // It ends while the cancel is open, so its report has to wait ..
    eventually(PATIENCE, || (!waits.told().is_empty()).then_some(()));
    // .. and these do not.
    let others = bench.enqueue_many(&vec![NewJob::new("noop"); 2000]);
    let mixed = bench.enqueue_many(&vec![sleep(0.0); 20]);
    let all = (others.len() + mixed.len()) as i64;
    eventually(PATIENCE, || {
        (bench.count(JobState::Completed) == all).then_some(())
    });
    assert_eq!(bench.job(locked).state, JobState::Running);
    user.batch_execute("commit").unwrap();
    bench.until(locked, JobState::Cancelled);
    end(&worker);
}

#[test]
fn a_cancel_that_is_rolled_back_never_was() {
    use diesel::connection::SimpleConnection;

    let bench = Bench::new();
    let worker = bench.worker();
    let id = bench.enqueue(&sleep(1.0));
    bench.until(id, JobState::Running);
    let mut user = bench.test.conn();
    user.batch_execute(&format!("begin; select belay.cancel({id}); rollback"))
        .unwrap();
    let job = bench.until(id, JobState::Completed);
    assert!(job.cancel().is_none());
    end(&worker);
}

#[test]
fn a_job_that_was_ended_by_force_is_killed_here_and_its_report_is_stale() {
    let bench = Bench::new();
    let waits = Waits::then_stopped();
    let mut config = config();
    config.kinds.push(kind("waits", waits.clone()));
    let worker = bench.start(config);
    let id = bench.enqueue(&NewJob::new("waits"));
    eventually(PATIENCE, || (waits.started() == 1).then_some(()));
    bench
        .db
        .tx(|conn| ops::force_cancel(conn, None, id, &actor(), None))
        .unwrap();
    let (_, control) = eventually(PATIENCE, || waits.told().first().copied());
    assert_eq!(control, Control::Kill(StopCause::LeaseLost));
    eventually(PATIENCE, || {
        (bench.metric("belay_stale_reports_total") > 0.0).then_some(())
    });
    end(&worker);
    let cancel = bench.job(id).cancel().unwrap();
    assert_eq!(cancel.rung.as_deref(), Some("forced"));
}
