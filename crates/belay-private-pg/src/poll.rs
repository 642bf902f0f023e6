//! Waiting for something outside this process that sends no signal.

use std::thread;
use std::time::{Duration, Instant};

/// How long to wait between two looks: short against a server start (100 ms), long against the cost of a look.
const INTERVAL: Duration = Duration::from_millis(5);

/// Looks until `look` finds something or `timeout` is over. Looks at least once, and once more after the time is over.
pub(crate) fn until<T, E>(
    timeout: Duration,
    mut look: impl FnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    let began = Instant::now();
    loop {
        let late = began.elapsed() >= timeout;
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if late {
            return Ok(None);
        }
        thread::sleep(INTERVAL);
    }
}
