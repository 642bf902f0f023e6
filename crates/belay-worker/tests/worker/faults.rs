//! What goes wrong, and what becomes of the jobs.

use std::time::{Duration, Instant};

use crate::support::executors::{Waits, kind};
use crate::support::{Bench, PATIENCE, config, end, sleep};
use belay_core::JobState;
use belay_core::ops::{self, LineFloor, NewJob, NewWorker};
use belay_testkit::eventually;
use belay_worker::executors::{Control, StopCause};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

/// Registers a worker that claims everything there is, and is never heard of again.
fn vanished(bench: &Bench, jobs: usize) -> i64 {
    let worker = NewWorker {
        name: "vanished".into(),
        host: "nowhere".into(),
        pid: 1,
        version: "0".into(),
        queues: None,
        kinds: vec!["sleep".into()],
        slots: 100,
        lease: Duration::from_secs(1),
    };
    let mut conn = bench.test.conn();
    let id = ops::register(&mut conn, &worker).unwrap();
    let lines: Vec<LineFloor> = ops::lines(&mut conn)
        .unwrap()
        .into_iter()
        .map(|line| LineFloor { line, floor: 0 })
        .collect();
    let claimed = ops::claim(&mut conn, id, &lines, 100).unwrap();
    assert_eq!(claimed.len(), jobs);
    id
}

#[test]
fn the_jobs_of_a_worker_that_vanished_are_run_by_another() {
    let bench = Bench::new();
    let ids = bench.enqueue_many(&[
        sleep(0.0),
        sleep(0.0),
        NewJob {
            max_attempts: Some(1),
            ..sleep(0.0)
        },
    ]);
    let cancelled = bench.enqueue(&sleep(0.0));
    let dead = vanished(&bench, 4);
    bench.cancel(cancelled);
    let worker = bench.worker();
    for id in &ids[..2] {
        let job = bench.until(*id, JobState::Completed);
        assert_eq!((job.attempt, job.worker), (2, Some(worker.id())));
        assert!(bench.events(*id).contains(&"lease_lost".to_owned()));
    }
    // This one had no attempt left, and this one nobody may run any more.
    let failed = bench.until(ids[2], JobState::Failed);
    assert_eq!(failed.worker, Some(dead));
    let job = bench.until(cancelled, JobState::Cancelled);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("lease_lost"));
    end(&worker);
    for (outcome, n) in [("queued", 2.0), ("failed", 1.0), ("cancelled", 1.0)] {
        let series = format!("belay_jobs_rescued_total{{outcome=\"{outcome}\"}}");
        assert_eq!(bench.metric(&series), n, "{outcome}");
    }
}

#[test]
fn a_job_of_a_dead_worker_that_somebody_holds_locked_is_taken_when_it_is_let_go() {
    let bench = Bench::new();
    let cancelled = bench.enqueue(&sleep(0.0));
    let waiting = bench.enqueue(&sleep(0.0));
    vanished(&bench, 2);
    bench.cancel(cancelled);
    let mut locking = bench.test.conn();
    locking
        .batch_execute("begin; select id from belay.job order by id for update")
        .unwrap();
    let mut config = config();
    (config.lease, config.beat) = (Duration::from_secs(1), Duration::from_millis(100));
    let worker = bench.start(config);
    // Its lines were looked through from end to end more than once by then: that is done once per lease.
    let mut watcher = bench.test.conn();
    eventually(PATIENCE, || {
        let dead = "select 1 from belay.worker where dead_at < clock_timestamp() - interval '4 s'";
        (diesel::sql_query(dead).execute(&mut watcher).unwrap() == 1).then_some(())
    });
    locking.batch_execute("rollback").unwrap();
    let job = bench.until(cancelled, JobState::Cancelled);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("lease_lost"));
    bench.until(waiting, JobState::Completed);
    end(&worker);
}

#[test]
fn a_worker_that_was_declared_dead_stops_its_work_and_begins_anew() {
    let bench = Bench::new();
    let waits = Waits::then_stopped();
    let mut config = config();
    config.kinds.push(kind("waits", waits.clone()));
    let worker = bench.start(config);
    let first = worker.id();
    let id = bench.enqueue(&NewJob::new("waits"));
    eventually(PATIENCE, || (waits.started() == 1).then_some(()));
    bench
        .test
        .conn()
        .batch_execute(&format!(
            "update belay.worker set dead_at = now() where id = {first}"
        ))
        .unwrap();
    let (_, control) = eventually(PATIENCE, || waits.told().first().copied());
    assert_eq!(control, Control::Kill(StopCause::LeaseLost));
    // It runs again, under the new registration.
    eventually(PATIENCE, || (waits.started() == 2).then_some(()));
    assert_ne!(worker.id(), first);
    let job = bench.job(id);
    assert_eq!(job.worker, Some(worker.id()));
    bench.cancel(id);
    bench.until(id, JobState::Cancelled);
    end(&worker);
    assert_eq!(bench.metric("belay_leases_lost_total"), 1.0);
}

#[test]
fn a_report_on_a_job_that_was_taken_away_changes_nothing_and_is_counted() {
    let bench = Bench::new();
    let waits = Waits::then(belay_worker::executors::Finish::Completed);
    let mut config = config();
    config.kinds.push(kind("waits", waits.clone()));
    let worker = bench.start(config);
    let id = bench.enqueue(&NewJob {
        timeout_s: Some(2),
        ..NewJob::new("waits")
    });
    eventually(PATIENCE, || (waits.started() == 1).then_some(()));
    // As a rescue would, behind the worker's back.
    bench
        .test
        .conn()
        .batch_execute(&format!(
            "update belay.job set state = 'scheduled', ticket = null, worker = null, fence = fence + 1,
               run_at = now() + interval '1 hour' where id = {id}"
        ))
        .unwrap();
    eventually(PATIENCE, || (!waits.told().is_empty()).then_some(()));
    eventually(PATIENCE, || {
        (bench.metric("belay_stale_reports_total") > 0.0).then_some(())
    });
    assert_eq!(bench.job(id).state, JobState::Scheduled);
    end(&worker);
}

#[test]
fn a_worker_that_cannot_renew_its_lease_stops_its_work_before_it_has_run_out() {
    let bench = Bench::new();
    let waits = Waits::then_stopped();
    let mut config = config();
    config.lease = Duration::from_secs(6);
    config.kinds.push(kind("waits", waits.clone()));
    let worker = bench.start(config);
    let first = worker.id();
    let id = bench.enqueue(&NewJob::new("waits"));
    eventually(PATIENCE, || (waits.started() == 1).then_some(()));
    let mut conn = bench.test.conn();
    conn.batch_execute(&format!(
        "begin; select from belay.worker where id = {first} for update"
    ))
    .unwrap();
    let locked = Instant::now();
    let (at, control) = eventually(PATIENCE, || waits.told().first().copied());
    assert_eq!(control, Control::Kill(StopCause::LeaseLost));
    assert!(
        at - locked < Duration::from_secs(6),
        "{:?} after the last heartbeat",
        at - locked
    );
    conn.batch_execute("rollback").unwrap();
    eventually(PATIENCE, || (worker.id() != first).then_some(()));
    eventually(PATIENCE, || (waits.started() == 2).then_some(()));
    bench.cancel(id);
    bench.until(id, JobState::Cancelled);
    end(&worker);
}

#[test]
fn lost_connections_lose_nothing() {
    let bench = Bench::new();
    let worker = bench.worker();
    let first = worker.id();
    let long = bench.enqueue(&sleep(4.0));
    bench.until(long, JobState::Running);
    let mut total = 1;
    for _ in 0..8 {
        total += bench.enqueue_many(&vec![NewJob::new("noop"); 3000]).len();
        total += bench.enqueue_many(&vec![sleep(0.01); 30]).len();
        // In the middle of it.
        let some = bench.count(JobState::Completed);
        eventually(PATIENCE, || {
            (bench.count(JobState::Completed) > some).then_some(())
        });
        diesel::sql_query(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
        )
        .execute(&mut bench.test.conn())
        .unwrap();
    }
    eventually(Duration::from_secs(60), || {
        (bench.count(JobState::Completed) == total as i64).then_some(())
    });
    // Nobody lost a lease, so whatever ran twice had never begun: it was given back, with its attempt.
    assert_eq!(worker.id(), first);
    assert_eq!(
        bench.number("select count(*) as n from belay.job_done where attempt <> 1"),
        0
    );
    assert_eq!(bench.job(long).fence, 1);
    eventually(PATIENCE, || worker.status().listening.then_some(()));
    end(&worker);
}

#[test]
fn jobs_of_a_claim_whose_answer_was_lost_are_given_back() {
    let bench = Bench::new();
    let worker = bench.worker();
    let first = bench.enqueue(&sleep(0.0));
    bench.until(first, JobState::Completed);
    eventually(PATIENCE, || {
        let asleep = bench.number("select count(*) as n from belay.sleeper") == 1;
        (worker.status().listening && asleep).then_some(())
    });
    let mut conn = bench.test.conn();
    let orphan = eventually(PATIENCE, || {
        // What the claim would have left behind: a job that the worker holds and does not know of. It is right of where the
        // next claim begins to look, as it would be. And everything but the connection that listens is gone, so that the
        // notification makes it claim on one that is gone. It may happen to notice the loss by another statement first, or to
        // have looked past the job before; then once more with another job.
        let orphan = conn
            .transaction(|conn| -> belay_core::Result<i64> {
                ops::enqueue(conn, 1, &sleep(0.0), None, false, &crate::support::actor())?;
                let lines: Vec<LineFloor> = ops::lines(conn)?
                    .into_iter()
                    .map(|line| LineFloor { line, floor: 0 })
                    .collect();
                let claimed = ops::claim(conn, worker.id(), &lines, 1)?;
                assert_eq!(claimed.len(), 1);
                conn.batch_execute(
                    "select belay.enqueue('sleep', '{\"seconds\": 0}');
                     select pg_terminate_backend(pid) from pg_stat_activity
                     where datname = current_database() and pid <> pg_backend_pid() and query not ilike 'listen%'",
                )?;
                Ok(claimed[0].id)
            })
            .unwrap();
        let waited = Instant::now();
        while waited.elapsed() < Duration::from_secs(2) {
            if bench.job(orphan).state == JobState::Completed {
                return Some(orphan);
            }
        }
        None
    });
    let job = bench.until(orphan, JobState::Completed);
    assert_eq!((job.attempt, job.fence), (1, 2));
    assert!(bench.events(orphan).contains(&"released".to_owned()));
    end(&worker);
}

#[test]
fn a_job_that_commits_late_is_found() {
    let bench = Bench::new();
    let worker = bench.worker();
    // The line must be there: who makes one holds it until the commit.
    let first = bench.enqueue(&NewJob::new("noop"));
    bench.until(first, JobState::Completed);
    let mut late = bench.test.conn();
    late.batch_execute("begin; select belay.enqueue('noop')")
        .unwrap();
    let others = bench.enqueue_many(&vec![NewJob::new("noop"); 3000]);
    let all = 1 + others.len() as i64;
    eventually(PATIENCE, || {
        (bench.count(JobState::Completed) == all).then_some(())
    });
    late.batch_execute("commit").unwrap();
    eventually(PATIENCE, || {
        (bench.count(JobState::Completed) == all + 1).then_some(())
    });
    end(&worker);
    assert!(bench.metric("belay_jobs_swept_total") >= 1.0);
}

#[test]
fn a_job_that_was_locked_when_its_turn_came_is_found() {
    let bench = Bench::new();
    let passed = bench.enqueue(&NewJob::new("noop"));
    let mut user = bench.test.conn();
    user.batch_execute(&format!("begin; select belay.cancel({passed})"))
        .unwrap();
    let worker = bench.worker();
    let others = bench.enqueue_many(&vec![NewJob::new("noop"); 3000]);
    let all = others.len() as i64;
    eventually(PATIENCE, || {
        (bench.count(JobState::Completed) == all).then_some(())
    });
    // Long enough for a sweep that finds nothing.
    let swept = Instant::now();
    eventually(PATIENCE, || {
        (swept.elapsed() > Duration::from_secs(8)).then_some(())
    });
    user.batch_execute("rollback").unwrap();
    bench.until(passed, JobState::Completed);
    end(&worker);
}

#[test]
fn a_worker_starts_while_others_of_its_kind_are_gone_and_the_record_says_so() {
    let bench = Bench::new();
    bench.enqueue(&sleep(0.0));
    vanished(&bench, 1);
    let worker = bench.worker();
    let status = eventually(PATIENCE, || worker.status().duties.get("rescue").cloned());
    assert!(status.outcome.unwrap().contains("1 workers died"));
    let partitions = eventually(PATIENCE, || {
        worker.status().duties.get("partitions").cloned()
    });
    assert!(partitions.outcome.is_ok());
    end(&worker);
}
