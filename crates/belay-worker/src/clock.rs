//! The clock of self-fencing.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time since the machine was started. Unlike [`std::time::Instant`] it also counts while the machine is asleep, during
/// which leases run out just the same.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_forward() {
        let before = now();
        assert!(before > Duration::ZERO);
        assert!(now() >= before);
    }
}
