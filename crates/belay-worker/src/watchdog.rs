//! The thread that stops all work before the lease can have run out. It never touches the database, so nothing there can
//! hold it up.

use std::sync::Arc;
use std::time::Duration;

use crate::bell::CHANGE;
use crate::clock;
use crate::lease::Standing;
use crate::shared::{Phase, Shared};

/// Longest time between two looks.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) fn run(shared: &Arc<Shared>) {
    while shared.phase.now() < Phase::Closing {
        let registration = shared.current();
        let wait = match registration.standing(clock::now()) {
            Standing::Good { left } => left.min(LOOK),
            Standing::Over => {
                shared.lose(&registration, "no heartbeat succeeded in time");
                // The next registration rings.
                LOOK
            }
        };
        shared.bells.watchdog.wait(CHANGE, wait);
    }
}
