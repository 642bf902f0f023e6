//! Counts what became of a batch, in one go per line and outcome.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use belay_core::JobState;
use belay_core::ops::{Rung, Verdict};
use belay_metrics::JobOutcome;

use super::item::Item;
use crate::bell::ROOM;
use crate::shared::Shared;
use crate::source::{Source, Weight};

/// What a batch comes to. [`Tally::finish`] must be called.
pub(crate) struct Tally<'a> {
    shared: &'a Shared,
    heavy: usize,
    answered: bool,
    run: Option<(Arc<Source>, JobOutcome)>,
    seconds: Vec<f64>,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            heavy: 0,
            answered: false,
            run: None,
            seconds: Vec::new(),
        }
    }

    /// The report was taken; the job is in this state.
    pub(crate) fn settled(&mut self, item: &Item, state: JobState) {
        self.off(item);
        self.count(item, outcome(item, state));
        if state == JobState::Cancelled
            && let Some(told) = item.job.as_ref().and_then(|job| job.cancelled_ago())
        {
            self.shared
                .metrics
                .cancel_took(rung(item), told.as_secs_f64());
        }
    }

    /// The job was not held any more. If the report was sent before, it was most likely taken then.
    pub(crate) fn stale(&mut self, item: &Item) {
        self.off(item);
        if item.unsure {
            self.count(item, expected(item));
        } else {
            self.shared.metrics.stale_report();
            tracing::info!(
                job = item.key.0,
                fence = item.key.1,
                "a report was refused: the job had been taken away from this worker"
            );
        }
    }

    /// The report has to wait, and holds back nothing meanwhile.
    pub(crate) fn parked(&mut self, item: &mut Item) {
        self.off(item);
        item.counted = false;
    }

    fn off(&mut self, item: &Item) {
        if item.counted {
            self.answered = true;
            match item.weight {
                Weight::Heavy => self.heavy += 1,
                weight => self.shared.leave(weight, 1),
            }
        }
    }

    fn count(&mut self, item: &Item, outcome: JobOutcome) {
        let same = self
            .run
            .as_ref()
            .is_some_and(|(source, last)| Arc::ptr_eq(source, &item.source) && *last == outcome);
        if !same {
            self.flush();
            self.run = Some((Arc::clone(&item.source), outcome));
        }
        self.seconds.push(item.ran_s);
    }

    fn flush(&mut self) {
        if let Some((source, outcome)) = self.run.take() {
            source.lane.finished(outcome, &self.seconds);
            self.seconds.clear();
        }
    }

    /// Writes the counts, and lets the dispatcher know that there is room.
    pub(crate) fn finish(mut self) {
        self.flush();
        self.shared
            .heavy_reports
            .fetch_sub(self.heavy, Ordering::AcqRel);
        if self.answered {
            self.shared.bells.dispatcher.ring(ROOM);
        }
    }
}

fn outcome(item: &Item, state: JobState) -> JobOutcome {
    match state {
        JobState::Completed => JobOutcome::Completed,
        JobState::Failed => JobOutcome::Failed,
        JobState::Cancelled => JobOutcome::Cancelled,
        _ => put_back(item),
    }
}

fn expected(item: &Item) -> JobOutcome {
    if item.is_success() {
        JobOutcome::Completed
    } else {
        put_back(item)
    }
}

fn put_back(item: &Item) -> JobOutcome {
    match item.verdict.as_deref() {
        Some(Verdict::Failed { .. } | Verdict::TimedOut { .. }) => JobOutcome::Retried,
        Some(Verdict::Snoozed { .. }) => JobOutcome::Snoozed,
        _ => JobOutcome::Released,
    }
}

fn rung(item: &Item) -> Rung {
    match item.verdict.as_deref() {
        Some(Verdict::Stopped { rung, .. } | Verdict::TimedOut { rung, .. }) => *rung,
        _ => Rung::Cooperative,
    }
}
