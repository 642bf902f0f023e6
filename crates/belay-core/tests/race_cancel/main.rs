//! The proof of the first promise: an accepted cancel ends as `cancelled`, whatever races with it.
//!
//! Claimers, completers, cancellers (single, bulk, inside transactions that wait and roll back), a suspender, failing, snoozing
//! and forgotten batches, workers that are declared dead while they live, a promoter and a rescuer work on the same jobs, with
//! cancels aimed at what is being claimed and completed. Afterwards every job must have ended exactly once, and every accepted
//! cancel as `cancelled`. A control whose completion does not look at cancels must fail the same check, so that the check is
//! known to bite.
//!
//! `BELAY_RACE_JOBS` sets the number of jobs (default 100,000).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod actors;
mod dice;
mod pressure;
mod verdict;

use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use belay_core::ops::{self, KindSpec};
use belay_core::{Db, db::DbConfig};
use belay_testkit::{TestDb, eventually};

use actors::Batch;
use verdict::Log;

/// How completions are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completion {
    /// By the real operation.
    Real,
    /// By a statement that does not look whether the job was cancelled.
    BlindToCancels,
}

/// What the threads share.
pub(crate) struct Race {
    pub(crate) db: Db,
    pub(crate) jobs: i64,
    pub(crate) completion: Completion,
    /// Highest id claimed so far.
    pub(crate) position: AtomicI64,
    /// An id that is being completed about now.
    pub(crate) hot: AtomicI64,
    pub(crate) enqueued: AtomicI64,
    pub(crate) over: AtomicBool,
    pub(crate) batches: Mutex<mpsc::Receiver<Batch>>,
}

fn run(jobs: i64, completion: Completion) -> (TestDb, Log) {
    let test_db = TestDb::new();
    let db = Db::new(DbConfig {
        pool_size: 16,
        ..DbConfig::new(test_db.url())
    })
    .unwrap();
    let kind = KindSpec {
        name: "race".into(),
        executor: "test".into(),
        queue: "race".into(),
        priority: 5,
        max_attempts: 5,
        timeout_s: None,
        can_suspend: true,
        ..KindSpec::new("", "")
    };
    db.tx(|conn| ops::register_kinds(conn, std::slice::from_ref(&kind)))
        .unwrap();
    let (send, receive) = mpsc::sync_channel(6);
    let race = Race {
        db,
        jobs,
        completion,
        position: AtomicI64::new(0),
        hot: AtomicI64::new(1),
        enqueued: AtomicI64::new(0),
        over: AtomicBool::new(false),
        batches: Mutex::new(receive),
    };
    let race = &race;
    let log = thread::scope(|scope| {
        let mut threads = Vec::new();
        for i in 0..2 {
            let send = send.clone();
            threads.push(scope.spawn(move || actors::claimer(race, 10 + i, &send)));
        }
        drop(send);
        for i in 0..2 {
            threads.push(scope.spawn(move || actors::completer(race, 20 + i)));
        }
        for i in 0..3 {
            threads.push(scope.spawn(move || pressure::canceller(race, 30 + i, i == 2)));
        }
        threads.push(scope.spawn(move || pressure::suspender(race, 40)));
        threads.push(scope.spawn(move || pressure::scheduler(race)));
        actors::enqueue_all(race);
        // A broken completion may strand nothing, so both kinds of race come to an end.
        eventually(Duration::from_secs(600), || {
            let left = race.db.read(|conn| Ok(verdict::unfinished(conn))).unwrap();
            (left == 0).then_some(())
        });
        race.over.store(true, std::sync::atomic::Ordering::SeqCst);
        threads
            .into_iter()
            .map(|t| t.join().unwrap())
            .fold(Log::default(), Log::merge)
    });
    (test_db, log)
}

#[test]
fn accepted_cancels_always_end_as_cancelled() {
    let jobs = std::env::var("BELAY_RACE_JOBS").map_or(100_000, |n| n.parse().unwrap());
    let (test_db, log) = run(jobs, Completion::Real);
    let violations = verdict::judge(&mut test_db.conn(), jobs, &log);
    println!("{}", log.summary());
    assert!(violations.is_empty(), "{violations:#?}\n{}", log.summary());
    log.assert_that_it_raced();
}

#[test]
fn a_completion_that_ignores_cancels_is_caught() {
    let (test_db, log) = run(8_000, Completion::BlindToCancels);
    let violations = verdict::judge(&mut test_db.conn(), 8_000, &log);
    assert!(
        violations
            .iter()
            .any(|v| v.starts_with("accepted but not cancelled")),
        "the check did not notice a completion that ignores cancels: {violations:#?}\n{}",
        log.summary()
    );
}
