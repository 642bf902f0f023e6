//! Waiting for what another process does.

use std::thread;
use std::time::{Duration, Instant};

/// Looks every few milliseconds until `look` finds something, and fails the test after `timeout`.
///
/// For waiting on other processes, which send no signal to a test; choose a timeout that only a broken program exceeds (ten
/// seconds or more). Never for asserting how long something takes, and never where a [`Gate`](crate::Gate), a channel or a
/// join would do.
///
/// # Panics
///
/// When the time is over.
#[track_caller]
pub fn eventually<T>(timeout: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        // Read before the look, so that a slow machine gets one more look after the time is over.
        let late = began.elapsed() >= timeout;
        if let Some(found) = look() {
            return found;
        }
        assert!(
            !late,
            "what the test waits for did not happen within {timeout:?}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_returns_what_it_finds() {
        let mut looks = 0;
        let found = eventually(Duration::from_secs(60), || {
            looks += 1;
            (looks == 3).then_some("found")
        });
        assert_eq!((found, looks), ("found", 3));
    }

    #[test]
    #[should_panic(expected = "did not happen within 0ns")]
    fn it_fails_when_the_time_is_over() {
        eventually(Duration::ZERO, || None::<()>);
    }
}
