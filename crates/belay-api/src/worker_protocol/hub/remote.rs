//! Remote workers as this instance knows them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use belay_core::ops::{Claimed, Line};
use belay_core::query::remote::RemoteWorker;
use tokio::sync::watch;

/// A job and the fence it is held under.
pub(crate) type Key = (i64, i32);

/// A job that was given out here.
#[derive(Debug, Clone)]
pub(crate) struct Out {
    pub(crate) queue: Arc<str>,
    pub(crate) kind: Arc<str>,
    pub(crate) since: Instant,
}

/// A remote worker. What it registered does not change.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) id: i64,
    /// Name of the API key it belongs to.
    pub(crate) key: String,
    serves: Serves,
    /// How often it asked for a check, as far as this instance knows.
    pub(crate) checks: AtomicI32,
    /// Whether it was written down as sleeping.
    pub(crate) asleep: AtomicBool,
    /// What it holds, as far as this instance knows: only for what makes things come sooner, and for figures.
    held: Mutex<HashMap<Key, Option<Out>>>,
    /// Rings when the database has news for it.
    pub(crate) news: watch::Sender<u64>,
}

/// Which lines are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Serves {
    /// `None` for all.
    queues: Option<HashSet<String>>,
    kinds: HashSet<String>,
}

impl Serves {
    pub(crate) fn line(&self, line: &Line) -> bool {
        self.kinds.contains(&line.kind)
            && self
                .queues
                .as_ref()
                .is_none_or(|queues| queues.contains(&line.queue))
    }

    /// No more than these queues and kinds, where any are named.
    pub(crate) fn narrowed(&self, queues: Option<&[String]>, kinds: Option<&[String]>) -> Self {
        let mut less = self.clone();
        if let Some(names) = kinds {
            less.kinds.retain(|kind| names.contains(kind));
        }
        if let Some(names) = queues {
            let names = names
                .iter()
                .filter(|name| self.queues.as_ref().is_none_or(|own| own.contains(*name)));
            less.queues = Some(names.cloned().collect());
        }
        less
    }
}

impl Remote {
    pub(crate) fn new(id: i64, row: RemoteWorker) -> Self {
        Self {
            id,
            key: row.key,
            serves: Serves {
                queues: row.queues.map(|queues| queues.into_iter().collect()),
                kinds: row.kinds.into_iter().collect(),
            },
            checks: AtomicI32::new(row.checks),
            asleep: AtomicBool::new(false),
            held: Mutex::default(),
            news: watch::Sender::new(0),
        }
    }

    pub(crate) fn serves(&self) -> &Serves {
        &self.serves
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Key, Option<Out>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what was given to it.
    pub(crate) fn given(&self, jobs: &[Claimed]) {
        let since = Instant::now();
        // Jobs come line by line, so nearly all share their names with the one before.
        let mut last: Option<(&Line, Arc<str>, Arc<str>)> = None;
        let mut held = self.held();
        for job in jobs {
            let (queue, kind) = match &last {
                Some((line, queue, kind)) if **line == job.line => {
                    (Arc::clone(queue), Arc::clone(kind))
                }
                _ => (
                    Arc::from(job.line.queue.as_str()),
                    Arc::from(job.line.kind.as_str()),
                ),
            };
            last = Some((&job.line, Arc::clone(&queue), Arc::clone(&kind)));
            held.insert((job.id, job.fence), Some(Out { queue, kind, since }));
        }
    }

    /// Takes note of what it says it holds, which is all that it holds.
    pub(crate) fn names(&self, keys: &[Key]) {
        let mut held = self.held();
        let mut now = HashMap::with_capacity(keys.len());
        for key in keys {
            now.insert(*key, held.remove(key).flatten());
        }
        // Given out a moment ago, perhaps, and not yet there.
        let fresh = held.drain().filter(|(_, out)| {
            out.as_ref()
                .is_some_and(|out| out.since.elapsed().as_secs() < 5)
        });
        now.extend(fresh.collect::<Vec<_>>());
        *held = now;
    }

    /// It still holds this.
    pub(crate) fn holds(&self, key: Key, out: Option<Out>) {
        self.held().insert(key, out);
    }

    /// It does not hold this any more. Answers where it came from, if that is known.
    pub(crate) fn done(&self, key: Key) -> Option<Out> {
        self.held().remove(&key).flatten()
    }

    /// What it holds, as far as is known.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.held().keys().copied().collect()
    }

    pub(crate) fn ring(&self) {
        self.news.send_modify(|n| *n = n.wrapping_add(1));
    }

    pub(crate) fn checks(&self) -> i32 {
        self.checks.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(queue: &str, kind: &str) -> Line {
        Line {
            priority: 5,
            queue: queue.into(),
            kind: kind.into(),
        }
    }

    fn serves(queues: Option<&[&str]>, kinds: &[&str]) -> Serves {
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Serves {
            queues: queues.map(set),
            kinds: set(kinds),
        }
    }

    #[test]
    fn a_claim_can_narrow_what_is_served_and_never_widen_it() {
        let all = serves(None, &["a", "b"]);
        let some = serves(Some(&["x"]), &["a", "b"]);
        assert!(all.line(&line("x", "a")) && !all.line(&line("x", "c")));
        assert!(some.line(&line("x", "a")) && !some.line(&line("y", "a")));
        let wider = some.narrowed(
            Some(&["x".into(), "y".into()]),
            Some(&["a".into(), "c".into()]),
        );
        assert_eq!(wider, serves(Some(&["x"]), &["a"]));
        assert_eq!(
            all.narrowed(Some(&["y".into()]), None),
            serves(Some(&["y"]), &["a", "b"])
        );
        assert_eq!(all.narrowed(None, None), all);
    }
}
