//! The thread that waits for notifications. They only make things come sooner.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use belay_core::backoff::{Backoff, random};
use belay_core::notify::{Hint, Listener};

use super::Shared;

/// How often it looks whether it shall end.
const LOOK: Duration = Duration::from_millis(200);
const WAITS: Backoff = Backoff::Exponential {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(5),
    jitter: true,
};

pub(super) fn run(shared: &Arc<Shared>) {
    let mut failures = 0;
    while !shared.has_ended() {
        match Listener::connect(&shared.db.config().url) {
            Ok(listener) => {
                failures = 0;
                listen(shared, listener);
            }
            Err(error) => tracing::debug!(%error, "cannot listen for notifications"),
        }
        failures += 1;
        let mut left = WAITS.delay(failures, random());
        while !left.is_zero() && !shared.has_ended() {
            let pause = left.min(LOOK);
            std::thread::sleep(pause);
            left -= pause;
        }
    }
}

fn listen(shared: &Shared, mut listener: Listener) {
    shared.listening.store(true, Ordering::Release);
    // Whatever was said while nobody listened.
    shared.wake();
    for remote in shared.workers().values() {
        remote.ring();
    }
    while !shared.has_ended() {
        match listener.wait(LOOK) {
            Ok(hints) => {
                for hint in hints {
                    match hint {
                        Hint::Wake => shared.wake(),
                        Hint::Stop(worker) => {
                            if let Some(remote) = shared.known(worker) {
                                remote.ring();
                            }
                        }
                        Hint::Other(_) => {}
                    }
                }
            }
            Err(error) => {
                tracing::info!(%error, "the connection that listens for notifications was lost; until it is back, remote workers notice jobs and cancels a little later");
                break;
            }
        }
    }
    shared.listening.store(false, Ordering::Release);
}
