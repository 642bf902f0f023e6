//! What an attempt shows: the answer as standard output, what happened beside it as standard error.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::{Output, Sink};
use super::body::Body;

/// How often a body that is still coming is shown.
const SHOW_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Shown {
    pub(super) body: Body,
    notes: String,
    sink: Arc<dyn Sink>,
    next: Instant,
}

impl Shown {
    pub(super) fn new(sink: Arc<dyn Sink>) -> Self {
        Self {
            body: Body::default(),
            notes: String::new(),
            sink,
            next: Instant::now(),
        }
    }

    /// Adds a line, and shows everything.
    pub(super) fn note(&mut self, line: impl Display) {
        self.notes = format!("{}{line}\n", self.notes);
        self.show();
    }

    /// Shows everything, unless that was done a moment ago.
    pub(super) fn show_now_and_then(&mut self) {
        if Instant::now() >= self.next {
            self.show();
        }
    }

    /// Shows everything, if there is anything.
    pub(super) fn show(&mut self) {
        self.next = Instant::now() + SHOW_EVERY;
        if self.body.received() == 0 && self.notes.is_empty() {
            return;
        }
        self.sink.output(Output {
            stdout: self.body.text(),
            stderr: self.notes.clone(),
            stdout_bytes: self.body.received(),
            stderr_bytes: i64::try_from(self.notes.len()).unwrap_or(i64::MAX),
            exit_code: None,
            signal: None,
        });
    }
}
