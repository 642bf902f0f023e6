//! Jobs that were claimed although the answer never came.
//!
//! When the connection breaks during a claim, the claim may have happened. Its jobs would then belong to a living worker that
//! does not know of them, and nobody would ever take them away. So the worker asks what it holds, and gives back what it
//! does not know. It asks twice, because the old server process may still be at it when the new connection stands; a
//! statement of this connection is ended by its timeout after ten seconds.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use belay_core::ops::{Line, Rung, Verdict};
use belay_core::query::{JobFilter, MAX_PAGE, list};
use belay_core::{JobState, Result};

use super::Dispatcher;
use crate::attempt::Key;
use crate::lease::Registration;
use crate::report::{Batch, Item};

/// When to ask, after the claim broke off.
const ASK_AFTER: [Duration; 2] = [Duration::ZERO, Duration::from_secs(12)];

/// A claim whose answer was lost.
#[derive(Debug)]
pub(super) struct Doubt {
    registration: Arc<Registration>,
    since: Instant,
    asked: usize,
}

impl Doubt {
    pub(super) fn new(registration: &Arc<Registration>) -> Self {
        Self {
            registration: Arc::clone(registration),
            since: Instant::now(),
            asked: 0,
        }
    }

    /// When to ask next.
    pub(super) fn next(&self) -> Instant {
        self.since + ASK_AFTER.get(self.asked).copied().unwrap_or_default()
    }
}

impl Dispatcher {
    /// Asks what this worker holds, when that is due.
    pub(super) fn resolve_doubt(&mut self, registration: &Arc<Registration>) -> Result<()> {
        let Some(doubt) = &self.doubt else {
            return Ok(());
        };
        if !Arc::ptr_eq(&doubt.registration, registration) {
            // What was claimed under a lost registration is rescued.
            self.doubt = None;
            return Ok(());
        }
        if Instant::now() < doubt.next() {
            return Ok(());
        }
        self.release_orphans(registration)?;
        if let Some(doubt) = &mut self.doubt {
            doubt.asked += 1;
            if doubt.asked >= ASK_AFTER.len() {
                self.doubt = None;
            }
        }
        Ok(())
    }

    fn release_orphans(&mut self, registration: &Arc<Registration>) -> Result<()> {
        // This thread is the only one that claims, so what is known now is all that was answered. Read before the database
        // is asked, and running jobs before reports: a job goes from here to there. A job that is settled in between is not
        // found, and a report too many would be stale.
        let known: HashSet<Key> = self
            .shared
            .held
            .keys()
            .into_iter()
            .chain(self.shared.reports.keys())
            .collect();
        let mut items = Vec::new();
        let mut before = None;
        loop {
            let filter = JobFilter {
                states: vec![JobState::Running, JobState::Suspended, JobState::Cancelling],
                before,
                ..JobFilter::default()
            };
            let page = self
                .link
                .run(|s| s.run(|conn| list(conn, &filter, MAX_PAGE)))?;
            before = page.last().map(|job| job.id);
            let full = page.len() as i64 == MAX_PAGE;
            for job in page {
                let key = (job.id, job.fence);
                if job.worker != Some(registration.id) || known.contains(&key) {
                    continue;
                }
                let line = Line {
                    priority: job.priority,
                    queue: job.queue,
                    kind: job.kind,
                };
                let Some(source) = self.sources.get(&line) else {
                    continue;
                };
                items.push(Item {
                    key,
                    source: Arc::clone(source),
                    verdict: Some(Box::new(Verdict::Stopped {
                        rung: Rung::Cooperative,
                        cause: "the answer to the claim was lost, so it was never started".into(),
                    })),
                    ran_s: 0.0,
                    light: false,
                    unsure: false,
                    counted: false,
                    tries: 0,
                    job: None,
                });
            }
            if !full {
                break;
            }
        }
        if !items.is_empty() {
            tracing::warn!(
                jobs = items.len(),
                "the connection broke during a claim; jobs that were claimed by it and never started are given back"
            );
        }
        self.shared.reports.push(Batch {
            registration: Arc::clone(registration),
            items,
        });
        Ok(())
    }
}
