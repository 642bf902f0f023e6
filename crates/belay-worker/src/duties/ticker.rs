//! The ticker: rings once a second. Nothing depends on it.

use std::sync::Arc;
use std::time::Duration;

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::bell::TICK;
use crate::shared::Shared;

/// Starts the ticker on the worker's runtime, where it lives until that ends.
pub(crate) fn start(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    shared.runtime.clone().spawn(async move {
        if let Err(error) = tick(&shared).await {
            tracing::warn!(%error, "the ticker did not start; the duties wake by themselves");
        }
    });
}

async fn tick(shared: &Arc<Shared>) -> Result<(), JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    // Not the other way round: the shared state must not live as long as its own ticker.
    let shared = Arc::downgrade(shared);
    scheduler
        .add(Job::new_repeated(Duration::from_secs(1), move |_, _| {
            if let Some(shared) = shared.upgrade() {
                shared.bells.duties.ring(TICK);
                shared.bells.chores.ring(TICK);
            }
        })?)
        .await?;
    scheduler.start().await
}
