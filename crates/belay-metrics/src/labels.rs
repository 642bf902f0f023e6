//! Label values that come from outside, held to a number: whoever may invent queue names must not be able to invent series.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

/// What stands for every value beyond the limit.
pub const OTHER: &str = "other";

/// Lets the first `limit` distinct values through and turns the rest into [`OTHER`].
#[derive(Debug)]
pub(crate) struct Guard {
    limit: usize,
    seen: RwLock<HashSet<Box<str>>>,
}

impl Guard {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            seen: RwLock::default(),
        }
    }

    pub(crate) fn pass<'a>(&self, value: &'a str) -> &'a str {
        {
            let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
            if seen.contains(value) {
                return value;
            }
            if seen.len() >= self.limit {
                return OTHER;
            }
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(value) {
            return value;
        }
        // Another thread may have taken the last place since.
        if seen.len() >= self.limit {
            return OTHER;
        }
        seen.insert(value.into());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_stay_and_late_ones_become_other() {
        let guard = Guard::new(2);
        assert_eq!(guard.pass("a"), "a");
        assert_eq!(guard.pass("b"), "b");
        assert_eq!(guard.pass("c"), OTHER);
        assert_eq!(guard.pass("a"), "a");
    }

    #[test]
    fn many_threads_never_exceed_the_limit() {
        let guard = Guard::new(10);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let guard = &guard;
                scope.spawn(move || {
                    for i in 0..100 {
                        guard.pass(&format!("{thread}-{i}"));
                    }
                });
            }
        });
        assert_eq!(guard.seen.read().unwrap().len(), 10);
    }
}
