//! Samples made by hand, and a look into the text.

use std::sync::Arc;
use std::time::{Duration, Instant};

use belay_core::JobState;
use belay_core::model::QueueRow;
use belay_metrics::{Cancelling, Reading, Sample, Workers};

/// A database in which nothing happens.
pub(crate) fn reading() -> Reading {
    Reading {
        at: Instant::now(),
        jobs: Vec::new(),
        workers: Workers::default(),
        cancelling: Cancelling::default(),
        oldest_snapshot_s: 0.0,
        oldest_writing_s: 0.0,
        partitions_ahead: 7,
    }
}

pub(crate) fn row(queue: &str, state: JobState, jobs: i64) -> QueueRow {
    QueueRow {
        queue: queue.into(),
        state,
        jobs,
        capped: false,
    }
}

pub(crate) fn sample(reading: Reading) -> Sample {
    Sample::new(
        Some(Arc::new(reading)),
        true,
        Duration::from_millis(3),
        (2, 1),
    )
}

/// The value of a series, written as in the text.
pub(crate) fn value(text: &str, series: &str) -> Option<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
        .map(|number| number.parse().unwrap())
}
