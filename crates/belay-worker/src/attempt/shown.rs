//! What an attempt shows while it runs: the latest output and progress, until they are written.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::executors::{Output, Progress, Sink};

/// Keeps the latest values. Cheap for the executor; somebody else writes them.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    unsaved: Mutex<Unsaved>,
}

/// What has not been written yet.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    pub(crate) output: Option<Output>,
    pub(crate) progress: Option<Progress>,
}

impl Shown {
    fn lock(&self) -> MutexGuard<'_, Unsaved> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what has not been written, if there is anything.
    pub(crate) fn take(&self) -> Option<Unsaved> {
        let mut unsaved = self.lock();
        if unsaved.output.is_none() && unsaved.progress.is_none() {
            return None;
        }
        Some(std::mem::take(&mut *unsaved))
    }

    /// Gives back what could not be written. Whatever has been shown since is newer and stays.
    pub(crate) fn give_back(&self, old: Unsaved) {
        let mut unsaved = self.lock();
        if unsaved.output.is_none() {
            unsaved.output = old.output;
        }
        if unsaved.progress.is_none() {
            unsaved.progress = old.progress;
        }
    }
}

impl Sink for Shown {
    fn output(&self, output: Output) {
        self.lock().output = Some(output);
    }

    fn progress(&self, progress: Progress) {
        self.lock().progress = Some(progress);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(done: i64) -> Progress {
        Progress {
            done,
            total: None,
            message: None,
        }
    }

    #[test]
    fn the_latest_value_is_taken_once() {
        let shown = Shown::default();
        assert!(shown.take().is_none());
        shown.progress(progress(1));
        shown.progress(progress(2));
        assert_eq!(shown.take().unwrap().progress, Some(progress(2)));
        assert!(shown.take().is_none());
    }

    #[test]
    fn what_comes_back_does_not_replace_what_is_newer() {
        let shown = Shown::default();
        shown.output(Output::default());
        shown.progress(progress(1));
        let old = shown.take().unwrap();
        shown.progress(progress(2));
        shown.give_back(old);
        let now = shown.take().unwrap();
        assert_eq!(now.progress, Some(progress(2)));
        assert_eq!(now.output, Some(Output::default()));
    }
}
