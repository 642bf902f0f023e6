//! Jobs and workers, made through the operations that a daemon uses.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use belay_core::JobState;
use belay_core::ops::{
    self, Actor, CancelLimit, Claimed, Line, LineFloor, NewJob, NewWorker, Outcome, Report, Rung,
    Settled, Verdict, Via,
};
use belay_testkit::TestDb;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::run;

/// The tenant of ordinary tests.
pub(crate) const TENANT: i32 = 1;

/// A connection with the rights of the programs that use the SQL functions.
#[track_caller]
pub(crate) fn as_client(db: &TestDb) -> PgConnection {
    let mut conn = db.conn();
    run(&mut conn, "set role belay_client");
    conn
}

/// Who acts in tests.
pub(crate) fn me() -> Actor {
    Actor::new("tester", Via::Native)
}

/// A job of a kind that can be suspended, with the kind's defaults.
pub(crate) fn new_job() -> NewJob {
    NewJob::new("sleep")
}

/// The same with a change.
pub(crate) fn new_with(change: impl FnOnce(&mut NewJob)) -> NewJob {
    let mut job = new_job();
    change(&mut job);
    job
}

/// The same with a unique key.
pub(crate) fn with_key(key: &str) -> NewJob {
    new_with(|job| job.unique_key = Some(key.into()))
}

/// A time that has not come when a test ends.
pub(crate) fn in_an_hour() -> Option<DateTime<Utc>> {
    Utc::now().checked_add_signed(TimeDelta::hours(1))
}

/// Enqueues one job and answers its number.
#[track_caller]
pub(crate) fn enqueue(conn: &mut PgConnection, job: &NewJob) -> i64 {
    ops::enqueue(conn, TENANT, job, None, false, &me())
        .unwrap()
        .id
}

/// Enqueues `n` equal jobs and answers their numbers.
#[track_caller]
pub(crate) fn enqueue_n(conn: &mut PgConnection, job: &NewJob, n: usize) -> Vec<i64> {
    let jobs = vec![job.clone(); n];
    ops::enqueue_many(conn, TENANT, &jobs, &me())
        .unwrap()
        .iter()
        .map(|made| made.id)
        .collect()
}

/// Registers a worker with a lease of a minute.
#[track_caller]
pub(crate) fn register(conn: &mut PgConnection) -> i64 {
    let worker = NewWorker {
        name: "w".into(),
        host: "here".into(),
        pid: 1,
        version: "0".into(),
        queues: None,
        kinds: vec!["noop".into(), "sleep".into()],
        slots: 1,
        lease: Duration::from_secs(60),
    };
    ops::register(conn, &worker).unwrap()
}

/// Makes a worker's lease run out, as if it had been silent.
#[track_caller]
pub(crate) fn let_lease_run_out(conn: &mut PgConnection, worker: i64) {
    run(
        conn,
        &format!(
            "update belay.worker set beat_at = clock_timestamp() - interval '1 hour' where id = {worker}"
        ),
    );
}

/// Claims up to `batch` jobs from all lines.
#[track_caller]
pub(crate) fn claim(conn: &mut PgConnection, worker: i64, batch: i32) -> Vec<Claimed> {
    let lines: Vec<LineFloor> = ops::lines(conn)
        .unwrap()
        .into_iter()
        .map(|line| LineFloor { line, floor: 0 })
        .collect();
    ops::claim(conn, worker, &lines, batch).unwrap()
}

/// Claims one job, which must be there.
#[track_caller]
pub(crate) fn claim_one(conn: &mut PgConnection, worker: i64) -> Claimed {
    claim(conn, worker, 1).pop().unwrap()
}

/// A line, to be looked at from its beginning.
pub(crate) fn on_line(queue: &str, kind: &str, priority: i16) -> LineFloor {
    LineFloor {
        line: Line {
            priority,
            queue: queue.into(),
            kind: kind.into(),
        },
        floor: 0,
    }
}

/// Claims up to `batch` jobs of kind `sleep` from one queue.
#[track_caller]
pub(crate) fn claim_from(
    conn: &mut PgConnection,
    worker: i64,
    queue: &str,
    batch: i32,
) -> Vec<Claimed> {
    ops::claim(conn, worker, &[on_line(queue, "sleep", 5)], batch).unwrap()
}

/// A failure after which the job runs again in `delay_s` seconds.
pub(crate) fn fail(error: &str, delay_s: f64) -> Verdict {
    Verdict::Failed {
        error: error.into(),
        delay_s,
        retry: true,
    }
}

/// A failure that ends the job.
pub(crate) fn fail_for_good(error: &str) -> Verdict {
    Verdict::Failed {
        error: error.into(),
        delay_s: 9.0,
        retry: false,
    }
}

/// A snooze.
pub(crate) fn snooze(delay_s: f64) -> Verdict {
    Verdict::Snoozed { delay_s }
}

/// A stop that the code made by itself.
pub(crate) fn stopped() -> Verdict {
    Verdict::Stopped {
        rung: Rung::Cooperative,
        cause: "asked".into(),
    }
}

/// A stop that took a KILL.
pub(crate) fn killed(cause: &str) -> Verdict {
    Verdict::Stopped {
        rung: Rung::Kill,
        cause: cause.into(),
    }
}

/// Settles one report and answers what became of it.
#[track_caller]
pub(crate) fn report(conn: &mut PgConnection, job: Made, verdict: Verdict) -> Settled {
    let report = Report {
        id: job.id,
        fence: job.fence,
        verdict,
    };
    conn.transaction(|conn| ops::settle(conn, job.worker, &[report]))
        .unwrap()[0]
}

/// A job, and the worker and fence that hold it or held it last. A job that was never claimed has fence 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) id: i64,
    pub(crate) worker: i64,
    pub(crate) fence: i32,
}

/// A running job of a new worker.
#[track_caller]
pub(crate) fn held(conn: &mut PgConnection) -> Made {
    make(conn, JobState::Running)
}

/// Makes a job in a state.
#[track_caller]
pub(crate) fn make(conn: &mut PgConnection, state: JobState) -> Made {
    make_from(conn, state, new_job())
}

/// Makes a job in a state, from `job`, in a queue of its own. What was held was held by a new worker.
#[track_caller]
pub(crate) fn make_from(conn: &mut PgConnection, state: JobState, mut job: NewJob) -> Made {
    static QUEUES: AtomicU32 = AtomicU32::new(0);
    let queue = format!("made-{}", QUEUES.fetch_add(1, Ordering::Relaxed));
    job.queue = Some(queue.clone());
    if state == JobState::Scheduled {
        job.run_at = in_an_hour();
    }
    let open = state == JobState::Open;
    let id = ops::enqueue(conn, TENANT, &job, None, open, &me())
        .unwrap()
        .id;
    let mut made = Made {
        id,
        worker: register(conn),
        fence: 0,
    };
    if matches!(
        state,
        JobState::Open | JobState::Scheduled | JobState::Queued
    ) {
        return made;
    }
    let mut lines = ops::lines(conn).unwrap();
    lines.retain(|line| line.queue == queue);
    let lines: Vec<LineFloor> = lines
        .into_iter()
        .map(|line| LineFloor { line, floor: 0 })
        .collect();
    made.fence = ops::claim(conn, made.worker, &lines, 1).unwrap()[0].fence;
    match state {
        JobState::Running | JobState::Open | JobState::Scheduled | JobState::Queued => {}
        JobState::Suspended => {
            ops::suspend(conn, None, id, &me(), None).unwrap();
        }
        JobState::Cancelling => cancel(conn, id),
        JobState::Completed => {
            assert_eq!(
                ops::complete(conn, made.worker, &[(id, made.fence)]).unwrap(),
                [(id, JobState::Completed)]
            );
        }
        JobState::Failed => {
            assert_eq!(
                report(conn, made, fail_for_good("made to fail")),
                Settled::Now(JobState::Failed)
            );
        }
        JobState::Cancelled => {
            cancel(conn, id);
            assert_eq!(
                report(conn, made, stopped()),
                Settled::Now(JobState::Cancelled)
            );
        }
    }
    made
}

fn cancel(conn: &mut PgConnection, id: i64) {
    let answer = ops::cancel_one(conn, None, id, &me(), Some("made so"), CancelLimit::Any).unwrap();
    assert_eq!(answer.outcome, Outcome::Cancelling);
}
