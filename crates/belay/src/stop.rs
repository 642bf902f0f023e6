//! The wish to stop, as everybody in the daemon sees it.

use std::sync::Arc;

use tokio::sync::watch;

/// How much somebody wants the daemon to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// Not at all.
    Run,
    /// In good order: running jobs may go on for the drain period.
    Drain,
    /// At once.
    Now,
}

/// Shared by all who ask for a stop and all who obey.
#[derive(Debug, Clone)]
pub(crate) struct Stop(Arc<watch::Sender<Wish>>);

impl Stop {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Wish::Run)))
    }

    /// Wants it one step more; answers what is wanted now.
    pub(crate) fn ask(&self) -> Wish {
        self.0.send_modify(|wish| {
            *wish = match *wish {
                Wish::Run => Wish::Drain,
                Wish::Drain | Wish::Now => Wish::Now,
            };
        });
        self.wish()
    }

    /// What is wanted now.
    pub(crate) fn wish(&self) -> Wish {
        *self.0.borrow()
    }

    /// Waits until at least this much is wanted.
    pub(crate) async fn wanted(&self, wish: Wish) {
        // Cannot fail: the sender lives in `self`.
        let _ = self.0.subscribe().wait_for(|now| *now >= wish).await;
    }
}
