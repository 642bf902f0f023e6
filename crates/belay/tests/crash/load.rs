//! Programs that enqueue and cancel while everything crashes, and remember only what they were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use belay_core::Result;
use belay_core::ops::{self, Actor, CancelLimit, NewJob, Via};
use diesel::connection::Connection;
use diesel::pg::PgConnection;

/// What was acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) enqueued: Vec<i64>,
    pub(crate) cancelled: Vec<i64>,
}

pub(crate) struct Load {
    over: Arc<AtomicBool>,
    pub(crate) acknowledged: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Seen>>,
}

impl Load {
    pub(crate) fn start(url: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let threads = (0..3)
            .map(|n| {
                let (url, over, acknowledged) =
                    (url.to_owned(), Arc::clone(&over), Arc::clone(&acknowledged));
                thread::spawn(move || one_program(n, &url, &over, &acknowledged))
            })
            .collect();
        Self {
            over,
            acknowledged,
            threads,
        }
    }

    pub(crate) fn stop(self) -> Seen {
        self.over.store(true, SeqCst);
        let mut all = Seen::default();
        for thread in self.threads {
            let seen = thread.join().unwrap();
            all.enqueued.extend(seen.enqueued);
            all.cancelled.extend(seen.cancelled);
        }
        all
    }
}

fn one_program(n: usize, url: &str, over: &AtomicBool, acknowledged: &AtomicUsize) -> Seen {
    let mut seen = Seen::default();
    let mut pending = Vec::new();
    let mut turn = n;
    let mut conn = None;
    // What is to be cancelled is cancelled, however often it takes to ask.
    while !over.load(SeqCst) || !pending.is_empty() {
        let Some(open) = conn.as_mut() else {
            conn = PgConnection::establish(url).ok();
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        let before = seen.enqueued.len();
        let done = cancel_next(open, &mut pending, &mut seen).and_then(|()| {
            if over.load(SeqCst) {
                return Ok(());
            }
            turn += 1;
            enqueue_next(open, turn, &mut pending, &mut seen)
        });
        if done.is_err() {
            // Not acknowledged, whatever has become of it.
            conn = None;
        }
        acknowledged.fetch_add(seen.enqueued.len() - before, SeqCst);
        thread::sleep(Duration::from_millis(2));
    }
    seen
}

fn actor() -> Actor {
    Actor::new("load", Via::Sql)
}

fn cancel_next(conn: &mut PgConnection, pending: &mut Vec<i64>, seen: &mut Seen) -> Result<()> {
    let Some(id) = pending.last().copied() else {
        return Ok(());
    };
    let answer = ops::cancel_one(conn, None, id, &actor(), Some("load"), CancelLimit::Any)?;
    pending.pop();
    if answer.outcome.is_accepted() {
        seen.cancelled.push(id);
    }
    Ok(())
}

fn enqueue_next(
    conn: &mut PgConnection,
    turn: usize,
    pending: &mut Vec<i64>,
    seen: &mut Seen,
) -> Result<()> {
    let kind = match turn % 12 {
        0 => "sleep",
        1 => "quick",
        2 => "tree",
        _ => "noop",
    };
    let job = NewJob {
        payload: r#"{"seconds": 0.2}"#.into(),
        // A crash takes an attempt; nothing here may run out of them.
        max_attempts: Some(100),
        ..NewJob::new(kind)
    };
    let id = ops::enqueue(conn, 1, &job, None, false, &actor())?.id;
    seen.enqueued.push(id);
    if kind == "tree" || turn.is_multiple_of(5) {
        // What never ends by itself must be cancelled; so are some of the others, when they are about to run or have run.
        let age = if turn.is_multiple_of(2) { 0 } else { 15 };
        let victim = if kind == "tree" {
            Some(id)
        } else {
            seen.enqueued.iter().rev().nth(age).copied()
        };
        pending.extend(victim);
    }
    Ok(())
}
