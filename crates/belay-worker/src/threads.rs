//! The threads of a worker: named, counted, and never silently dead.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::shared::{Phase, Shared};

/// How many threads of each name are running.
#[derive(Debug, Default)]
pub(crate) struct Crew {
    names: Mutex<BTreeMap<&'static str, usize>>,
    ended: Condvar,
}

impl Crew {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, name: &'static str) {
        *self.lock().entry(name).or_default() += 1;
    }

    fn leave(&self, name: &'static str) {
        let mut names = self.lock();
        if let Some(count) = names.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                names.remove(name);
            }
        }
        self.ended.notify_all();
    }

    /// Waits until no thread of that name runs (`None`: none at all); answers the names that still do.
    pub(crate) fn wait(&self, name: Option<&'static str>, timeout: Duration) -> Vec<&'static str> {
        let is_there = |names: &mut BTreeMap<&'static str, usize>| match name {
            Some(name) => names.contains_key(name),
            None => !names.is_empty(),
        };
        let (names, _) = self
            .ended
            .wait_timeout_while(self.lock(), timeout, is_there)
            .unwrap_or_else(PoisonError::into_inner);
        names
            .keys()
            .copied()
            .filter(|there| name.is_none_or(|name| name == *there))
            .collect()
    }
}

/// Starts a thread of a worker. When it panics, which is a defect, the worker stops: half a worker would hold jobs that
/// nobody runs.
///
/// # Errors
/// When the system has no thread left.
pub(crate) fn start(
    shared: &Arc<Shared>,
    name: &'static str,
    body: impl FnOnce(Arc<Shared>) + Send + 'static,
) -> std::io::Result<()> {
    let theirs = Arc::clone(shared);
    shared.crew.enter(name);
    let started = std::thread::Builder::new()
        .name(format!("belay-{name}"))
        .spawn(move || {
            let shared = Arc::clone(&theirs);
            let outcome = catch_unwind(AssertUnwindSafe(|| body(theirs)));
            shared.crew.leave(name);
            if outcome.is_err() {
                tracing::error!(
                    thread = name,
                    "a thread of the worker panicked; the worker stops"
                );
                shared.advance(Phase::Stop);
            }
        });
    if started.is_err() {
        shared.crew.leave(name);
    }
    started.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crew_is_waited_for_by_name_or_as_a_whole() {
        let crew = Crew::default();
        crew.enter("a");
        crew.enter("b");
        crew.enter("b");
        assert_eq!(crew.wait(Some("c"), Duration::ZERO), Vec::<&str>::new());
        assert_eq!(crew.wait(Some("b"), Duration::from_millis(1)), ["b"]);
        crew.leave("b");
        assert_eq!(crew.wait(None, Duration::from_millis(1)), ["a", "b"]);
        crew.leave("b");
        assert_eq!(
            crew.wait(Some("b"), Duration::from_secs(60)),
            Vec::<&str>::new()
        );
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| crew.wait(None, Duration::from_secs(60)));
            crew.leave("a");
            assert!(waiting.join().unwrap().is_empty());
        });
    }
}
