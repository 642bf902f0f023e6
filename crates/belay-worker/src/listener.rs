//! The thread that waits for notifications. They only make things come sooner.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use belay_core::backoff::{Backoff, random};
use belay_core::notify::{Hint, Listener};

use crate::bell::{HINT, SIGNALS};
use crate::shared::{Phase, Shared};

/// How often it looks at the phase of the worker.
const LOOK: Duration = Duration::from_millis(200);
const WAITS: Backoff = Backoff::Exponential {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(5),
    jitter: true,
};

pub(crate) fn run(shared: &Arc<Shared>) {
    let mut failures = 0;
    while shared.phase.now() < Phase::Closing {
        match Listener::connect(&shared.db.config().url) {
            Ok(listener) => {
                failures = 0;
                listen(shared, listener);
            }
            Err(error) => tracing::debug!(%error, "cannot listen for notifications"),
        }
        failures += 1;
        shared
            .phase
            .wait_for(Phase::Closing, WAITS.delay(failures, random()));
    }
}

fn listen(shared: &Shared, mut listener: Listener) {
    shared.listening.store(true, Ordering::Release);
    // Whatever was said while nobody listened.
    shared.bells.dispatcher.ring(HINT);
    shared.bells.heart.ring(SIGNALS);
    while shared.phase.now() < Phase::Closing {
        match listener.wait(LOOK) {
            Ok(hints) => {
                for hint in hints {
                    follow(shared, &hint);
                }
            }
            Err(error) => {
                tracing::info!(%error, "the connection that listens for notifications was lost; until it is back, jobs and cancels are noticed a little later");
                break;
            }
        }
    }
    shared.listening.store(false, Ordering::Release);
}

fn follow(shared: &Shared, hint: &Hint) {
    match hint {
        Hint::Wake => shared.bells.dispatcher.ring(HINT),
        Hint::Stop(worker) if *worker == shared.current().id => shared.bells.heart.ring(SIGNALS),
        Hint::Stop(_) | Hint::Other(_) => {}
    }
}
