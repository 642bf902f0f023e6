//! How the thread that loads and the task that watches over it talk.

use std::sync::{Mutex, PoisonError};

use super::fault::Fault;

/// Shared by both.
#[derive(Debug, Default)]
pub(super) struct Signal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stop: bool,
    /// The process of the database that works on the load, while its statement may be cancelled.
    backend: Option<i32>,
}

impl Signal {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells the load to stop.
    pub(super) fn stop(&self) {
        self.with(|state| state.stop = true);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.with(|state| state.stop)
    }

    /// Whether the load has a statement that may be cancelled.
    pub(super) fn is_open(&self) -> bool {
        self.with(|state| state.backend.is_some())
    }

    /// Cancels the statement of the load, if there still is one. The load cannot go on meanwhile: its process of the database
    /// may be somebody else's when it has ended.
    pub(super) fn interrupt<T>(&self, cancel: impl FnOnce(i32) -> T) -> Option<T> {
        self.with(|state| state.backend.map(cancel))
    }

    /// The load begins in that process of the database.
    pub(super) fn open(&self, backend: i32) -> Result<(), Fault> {
        self.with(|state| state.backend = Some(backend));
        self.check()
    }

    /// Fails when the load was told to stop.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.is_stopped() {
            return Err(Fault::Stopped);
        }
        Ok(())
    }

    /// The load is about to report: the last moment to stop it. What comes is quick, and decides by itself whether a cancel was
    /// first.
    pub(super) fn settle(&self) -> Result<(), Fault> {
        self.close();
        self.check()
    }

    /// No statement of the load is cancelled from now on.
    pub(super) fn close(&self) {
        self.with(|state| state.backend = None);
    }
}
