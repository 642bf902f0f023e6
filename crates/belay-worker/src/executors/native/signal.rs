//! What a closure is told, for code that waits on a thread and for code that awaits.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::executors::{Control, StopCause};

/// Longest single wait of a thread; it looks again then.
const LOOK: Duration = Duration::from_secs(3600);

/// The newest word of the worker to one attempt.
#[derive(Debug)]
pub(super) struct Signal {
    control: watch::Receiver<Control>,
    /// Cancelled with the first stop, and at the end of the attempt.
    pub(super) token: CancellationToken,
    turn: Mutex<()>,
    news: Condvar,
}

impl Signal {
    pub(super) fn new(control: watch::Receiver<Control>) -> Self {
        Self {
            control,
            token: CancellationToken::new(),
            turn: Mutex::new(()),
            news: Condvar::new(),
        }
    }

    pub(super) fn control(&self) -> Control {
        *self.control.borrow()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.cause().is_some() || self.token.is_cancelled()
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.control() == Control::Suspend && !self.is_stopped()
    }

    pub(super) fn cause(&self) -> Option<StopCause> {
        match self.control() {
            Control::Stop(cause) | Control::Kill(cause) => Some(cause),
            Control::Run | Control::Suspend => None,
        }
    }

    /// The control has changed: whoever waits on a thread looks at it.
    pub(super) fn announce(&self) {
        if self.cause().is_some() {
            self.token.cancel();
        }
        // Behind the lock: whoever looked before the change waits by now.
        drop(self.turn.lock().unwrap_or_else(PoisonError::into_inner));
        self.news.notify_all();
    }

    /// The attempt has ended. Code that still runs sees a stop.
    pub(super) fn end(&self) {
        self.token.cancel();
        self.announce();
    }

    /// Waits on this thread until `done`, at most `timeout`; answers whether it is.
    pub(super) fn wait(&self, timeout: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        while !done(self) {
            let left = deadline.map_or(LOOK, |d| d.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            turn = self
                .news
                .wait_timeout(turn, left.min(LOOK))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// Waits until the control is one of these, or the attempt has ended.
    pub(super) async fn reached(&self, wanted: impl Fn(Control) -> bool) {
        let mut control = self.control.clone();
        tokio::select! {
            biased;
            // The sender goes with the attempt.
            _ = control.wait_for(|now| wanted(*now)) => {}
            () = self.token.cancelled() => {}
        }
    }
}
