//! What a closure writes: the last part of two streams, shown every now and then.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::executors::command::capture::Tail;
use crate::executors::{Output, Sink};

/// Bytes of each stream that are kept.
const LIMIT: usize = 64 * 1024;
/// Least time between two showings.
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// The streams of one attempt. Writing is cheap; somebody else shows them.
#[derive(Debug)]
pub(super) struct Written {
    tails: Mutex<Tails>,
    news: Notify,
}

#[derive(Debug)]
struct Tails {
    out: Tail,
    err: Tail,
    changed: bool,
}

impl Written {
    pub(super) fn new() -> Self {
        Self {
            tails: Mutex::new(Tails {
                out: Tail::new(LIMIT),
                err: Tail::new(LIMIT),
                changed: false,
            }),
            news: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tails> {
        self.tails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Tails)) {
        let mut tails = self.lock();
        change(&mut tails);
        if !std::mem::replace(&mut tails.changed, true) {
            self.news.notify_one();
        }
    }

    pub(super) fn line(&self, text: &str) {
        self.change(|tails| {
            tails.out.push(text.as_bytes());
            tails.out.push(b"\n");
        });
    }

    pub(super) fn stdout(&self, bytes: &[u8]) {
        self.change(|tails| tails.out.push(bytes));
    }

    pub(super) fn stderr(&self, bytes: &[u8]) {
        self.change(|tails| tails.err.push(bytes));
    }

    fn show(&self, sink: &dyn Sink) {
        let mut tails = self.lock();
        if !std::mem::take(&mut tails.changed) {
            return;
        }
        sink.output(Output {
            stdout: tails.out.text(),
            stderr: tails.err.text(),
            stdout_bytes: tails.out.total(),
            stderr_bytes: tails.err.total(),
            exit_code: None,
            ran: None,
            signal: None,
        });
    }
}

/// Shows what is written, at a bounded rate.
#[derive(Debug, Default)]
pub(super) struct Showing {
    last: Option<Instant>,
    at: Option<Instant>,
}

impl Showing {
    /// Waits until it is time to show something and shows it. May be dropped at any time and called again.
    pub(super) async fn step(&mut self, written: &Written, sink: &dyn Sink) {
        if self.at.is_none() {
            written.news.notified().await;
            let now = Instant::now();
            self.at = Some(self.last.map_or(now, |last| now.max(last + SHOW_EVERY)));
        }
        if let Some(at) = self.at {
            tokio::time::sleep_until(at).await;
        }
        self.at = None;
        self.last = Some(Instant::now());
        written.show(sink);
    }

    /// Shows what was written last.
    pub(super) fn finish(self, written: &Written, sink: &dyn Sink) {
        written.show(sink);
    }
}
