//! The table of promises.

use std::time::{Duration, Instant};

use belay_core::JobState;
use belay_core::ops::{NewJob, Outcome, Rung, Settled, Verdict};
use belay_testkit::eventually;
use diesel::connection::SimpleConnection;

use crate::bench::{Bench, PATIENCE, end, long};

fn failed() -> Verdict {
    Verdict::Failed {
        error: "no".into(),
        delay_s: 0.0,
        retry: true,
    }
}

#[test]
fn accepted_means_stopped() {
    let bench = Bench::new();
    let verdicts: [Option<Verdict>; 6] = [
        Some(Verdict::Completed),
        Some(failed()),
        Some(Verdict::Snoozed { delay_s: 0.0 }),
        Some(Verdict::TimedOut {
            error: "late".into(),
            delay_s: 0.0,
            retry: true,
            rung: Rung::Kill,
        }),
        Some(Verdict::Stopped {
            rung: Rung::Term,
            cause: "shutdown".into(),
        }),
        // The worker is never heard of again.
        None,
    ];
    let mut jobs = Vec::new();
    for verdict in verdicts {
        let worker = bench.hand();
        let id = bench.enqueue(&long());
        let held = bench.claim(worker);
        assert_eq!(held.id, id);
        assert_eq!(bench.cancel(id).outcome, Outcome::Cancelling);
        match verdict {
            Some(verdict) => assert_eq!(
                bench.report(worker, &held, verdict.clone()),
                Settled::Now(JobState::Cancelled),
                "{verdict:?}"
            ),
            None => bench.lose(worker),
        }
        jobs.push(id);
    }
    // Between two attempts it waits, and is over at once.
    let worker = bench.hand();
    let waiting = bench.enqueue(&long());
    let held = bench.claim(worker);
    bench.report(worker, &held, failed());
    assert_eq!(bench.cancel(waiting).outcome, Outcome::Cancelled);
    jobs.push(waiting);
    // None of them runs again: a real worker finds nothing but what comes after them.
    let real = bench.worker(Vec::new(), true);
    let last = bench.enqueue(&NewJob::new("noop"));
    bench.until(last, JobState::Completed);
    for id in jobs {
        let job = bench.job(id);
        assert_eq!((job.state, job.attempt), (JobState::Cancelled, 1));
        // Nor can anybody bring it back to life as itself.
        assert_eq!(bench.cancel(id).outcome, Outcome::Already);
    }
    end(&real);
}

#[test]
fn honest_states() {
    let bench = Bench::new();
    let worker = bench.hand();
    let id = bench.enqueue(&long());
    let held = bench.claim(worker);
    bench.cancel(id);
    // A living worker that has not answered: nobody says that it has stopped.
    let real = bench.worker(Vec::new(), true);
    let other = bench.enqueue(&NewJob::new("noop"));
    bench.until(other, JobState::Completed);
    assert_eq!(bench.job(id).state, JobState::Cancelling);
    let settled = bench.report(worker, &held, Verdict::Completed);
    assert_eq!(settled, Settled::Now(JobState::Cancelled));
    let timeline = bench.timeline(id);
    let detail = timeline.last().unwrap().detail.clone().unwrap();
    assert_eq!(
        detail["finished_anyway"], "completed",
        "evidence, not the outcome"
    );
    end(&real);
}

#[test]
fn cancelling_always_ends() {
    let bench = Bench::new();
    let worker = bench.hand();
    let id = bench.enqueue(&long());
    bench.claim(worker);
    bench.cancel(id);
    // The worker is silent from now on: its lease is over, and somebody else's duty sweeps up.
    let silent = format!(
        "update belay.worker set beat_at = clock_timestamp() - interval '59 seconds' where id = {worker}"
    );
    bench.test.conn().batch_execute(&silent).unwrap();
    let real = bench.worker(Vec::new(), true);
    let job = bench.until(id, JobState::Cancelled);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("lease_lost"));
    // And with a living worker.
    let id = bench.enqueue(&long());
    bench.until(id, JobState::Running);
    bench.cancel(id);
    bench.until(id, JobState::Cancelled);
    end(&real);
}

#[test]
fn the_signal_is_not_lost() {
    let bench = Bench::new();
    // Nobody listens for notifications, so only heartbeats (200 ms here) can bring the news.
    let real = bench.worker(Vec::new(), false);
    let id = bench.enqueue(&long());
    bench.until(id, JobState::Running);
    let began = Instant::now();
    bench.cancel(id);
    let job = bench.until(id, JobState::Cancelled);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("cooperative"));
    assert!(began.elapsed() < Duration::from_secs(10));
    end(&real);
}

#[test]
fn fenced() {
    let bench = Bench::new();
    let first = bench.hand();
    let id = bench.enqueue(&long());
    let stale = bench.claim(first);
    bench.lose(first);
    let second = bench.hand();
    let held = bench.claim(second);
    assert_eq!((held.id, held.attempt), (id, 2));
    assert!(held.fence > stale.fence);
    for verdict in [Verdict::Completed, failed()] {
        assert_eq!(bench.report(first, &stale, verdict), Settled::Stale);
    }
    assert_eq!(bench.job(id).state, JobState::Running);
    assert_eq!(
        bench.report(second, &held, Verdict::Completed),
        Settled::Now(JobState::Completed)
    );
    assert_eq!(
        bench.report(first, &stale, Verdict::Completed),
        Settled::Stale
    );
}

#[test]
fn on_record() {
    let bench = Bench::new();
    let real = bench.worker(Vec::new(), true);
    let id = bench.enqueue(&long());
    bench.until(id, JobState::Running);
    bench.cancel(id);
    bench.until(id, JobState::Cancelled);
    end(&real);
    let timeline = bench.timeline(id);
    let events: Vec<&str> = timeline.iter().map(|entry| entry.event.as_str()).collect();
    assert_eq!(
        events,
        ["created", "claimed", "cancel_requested", "cancelled"]
    );
    let asked = &timeline[2];
    assert_eq!(
        (
            asked.actor.as_str(),
            asked.via.as_str(),
            asked.reason.as_deref()
        ),
        ("tester", "native", Some("enough"))
    );
    assert_eq!(timeline[3].detail.as_ref().unwrap()["rung"], "cooperative");
    // And nobody can rewrite it.
    for statement in [
        format!("update belay.job_event set actor = 'nobody' where job = {id}"),
        format!("delete from belay.job_event where job = {id}"),
    ] {
        let refused = bench.test.conn().batch_execute(&statement);
        assert!(refused.is_err(), "{statement}");
    }
    eventually(PATIENCE, || (bench.timeline(id).len() == 4).then_some(()));
}
