//! How the thread that runs a statement and the task that watches over it talk.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use rustix::net::{Shutdown, shutdown};

/// Where the statement runs, so exactly that nothing else can be hit: the process of the server, when it was started, and the
/// transaction in it, which matters behind a pooler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Backend {
    /// Number of the process.
    pub(super) pid: String,
    /// When it was started: seconds since 1970.
    pub(super) started: String,
    /// When its transaction began: seconds since 1970.
    pub(super) began: String,
}

/// Shared by both.
#[derive(Debug, Default)]
pub(super) struct Signal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stop: bool,
    stage: Stage,
    socket: Option<OwnedFd>,
}

#[derive(Debug, Default)]
enum Stage {
    /// The statement has not begun.
    #[default]
    Before,
    /// Something runs that may be interrupted.
    Open(Backend),
    /// It is being committed, or over.
    Closed,
}

impl Signal {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells the thread to stop. Answers whether its statement had not begun, so that it never will.
    pub(super) fn stop(&self) -> bool {
        self.with(|state| {
            state.stop = true;
            matches!(state.stage, Stage::Before)
        })
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.with(|state| state.stop)
    }

    /// The statement is about to begin there; `false` when it must not.
    pub(super) fn open(&self, backend: Backend, socket: Option<OwnedFd>) -> bool {
        self.with(|state| {
            if !state.stop {
                state.stage = Stage::Open(backend);
                state.socket = socket;
            }
            !state.stop
        })
    }

    /// Nothing is interrupted from now on.
    pub(super) fn close(&self) {
        self.with(|state| state.stage = Stage::Closed);
    }

    /// The connection ends.
    pub(super) fn end(&self) {
        self.with(|state| {
            state.stage = Stage::Closed;
            state.socket = None;
        });
    }

    /// Acts on the statement, if it may be interrupted. The thread does not get past [`Signal::close`] meanwhile.
    pub(super) fn while_open<T>(&self, act: impl FnOnce(&Backend) -> T) -> Option<T> {
        self.with(|state| match &state.stage {
            Stage::Open(backend) => Some(act(backend)),
            Stage::Before | Stage::Closed => None,
        })
    }

    /// Cuts the connection on this side, so that the thread waits no longer for a server that does not answer.
    pub(super) fn cut(&self) {
        self.with(|state| {
            if let Some(socket) = &state.socket {
                // It may be cut already.
                let _ = shutdown(socket, Shutdown::Both);
            }
        });
    }
}

/// Ends what a signal says of its connection, however the thread ends.
pub(super) struct EndWhenDropped<'a>(pub(super) &'a Signal);

impl Drop for EndWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
