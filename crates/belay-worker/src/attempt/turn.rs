//! Jobs that were claimed ahead of their start wait for their turn here, and can be told to stop while they do.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::drive::until;
use super::held::HeldJob;
use crate::executors::{Control, StopCause};
use crate::shared::{Phase, Shared};
use crate::source::Weight;

/// What an attempt that was claimed ahead waits for.
pub(super) struct Turn {
    turns: Arc<Semaphore>,
    shared: Arc<Shared>,
}

impl Turn {
    /// `None` when the claim was the turn.
    pub(super) fn of(shared: &Arc<Shared>, weight: Weight) -> Option<Self> {
        let Weight::Ahead(kind) = weight else {
            return None;
        };
        Some(Self {
            turns: Arc::clone(&shared.ahead.get(kind)?.turns),
            shared: Arc::clone(shared),
        })
    }

    /// Waits for the turn. `None` when the attempt must not start any more; the cause stands in `job`. A worker that claims
    /// nothing more gives back what waits, so that others can run it.
    pub(super) async fn wait(
        self,
        job: &HeldJob,
        end_of_job: Option<Instant>,
    ) -> Option<OwnedSemaphorePermit> {
        let mut control = job.watch();
        tokio::select! {
            biased;
            _ = control.wait_for(|wanted| matches!(wanted, Control::Stop(_) | Control::Kill(_))) => None,
            () = until(end_of_job) => {
                job.want(Control::Stop(StopCause::JobTimeout));
                None
            }
            () = self.shared.phase.reached(Phase::Drain) => {
                job.want(Control::Stop(StopCause::Shutdown));
                None
            }
            permit = self.turns.acquire_owned() => permit.ok(),
        }
    }
}
