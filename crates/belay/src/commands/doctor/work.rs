//! Who works, what waits, and what does not stop.

use std::time::Duration;

use belay_core::JobState;
use belay_core::model::WorkerRow;
use belay_metrics::Reading;
use chrono::{DateTime, TimeDelta, Utc};

use super::Finding;
use crate::show::duration;

pub(super) fn alive(workers: &[WorkerRow], reading: &Reading, now: DateTime<Utc>) -> Finding {
    let silent: Vec<&WorkerRow> = workers
        .iter()
        .filter(|w| {
            let lease = TimeDelta::milliseconds(i64::from(w.lease_ms));
            w.dead_at.is_none() && w.beat_at + lease < now
        })
        .collect();
    if let Some(worker) = silent.first() {
        return Finding::failure(
            "workers",
            format!(
                "worker {} ({} on {}) is silent beyond its lease, and nobody has taken its jobs",
                worker.id, worker.name, worker.host
            ),
            "start a daemon with `duties = true`, which rescues them",
        );
    }
    let waiting: i64 = reading
        .jobs
        .iter()
        .filter(|row| row.state == JobState::Queued)
        .map(|row| row.jobs)
        .sum();
    let counts = reading.workers;
    if counts.alive == 0 && waiting > 0 {
        return Finding::failure(
            "workers",
            format!("{waiting} jobs wait and no worker lives"),
            "start one with `belay serve`",
        );
    }
    Finding::ok(
        "workers",
        format!(
            "{} alive, {} stopping, {} found dead lately; {waiting} jobs wait",
            counts.alive, counts.stopping, counts.dead
        ),
    )
}

pub(super) fn waiting_for_nobody(lines: &[(String, String)]) -> Option<Finding> {
    let (queue, kind) = lines.first()?;
    let more = match lines.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more such lines"),
    };
    Some(Finding::warning(
        "lines",
        format!("jobs of kind {kind} wait in queue {queue}, and no living worker runs those{more}"),
        "configure the kind ([kinds.NAME]) and the queue ([worker] queues) on a node, or cancel the jobs",
    ))
}

pub(super) fn cancels(reading: &Reading) -> Finding {
    let cancelling = reading.cancelling;
    let oldest = duration(Duration::try_from_secs_f64(cancelling.oldest_s).unwrap_or_default());
    if cancelling.overdue > 0 {
        return Finding::failure(
            "cancels",
            format!(
                "{} jobs have not stopped although they were told to, the oldest {oldest} ago",
                cancelling.overdue
            ),
            "belay jobs --state cancelling shows them; belay cancel --force ID ends one without its worker",
        );
    }
    Finding::ok(
        "cancels",
        format!("{} in progress, none overdue", cancelling.now),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::Level;
    use super::*;

    #[test]
    fn cancels_that_take_too_long_are_a_failure() {
        let reading = |overdue| Reading {
            at: Instant::now(),
            jobs: Vec::new(),
            workers: belay_metrics::Workers::default(),
            cancelling: belay_metrics::Cancelling {
                now: 3,
                overdue,
                oldest_s: 500.0,
            },
            oldest_snapshot_s: 0.0,
            oldest_writing_s: 0.0,
            partitions_ahead: 14,
        };
        assert_eq!(cancels(&reading(0)).level, Level::Ok);
        assert_eq!(cancels(&reading(1)).level, Level::Failure);
    }

    #[test]
    fn lines_that_nobody_serves_are_named() {
        let line = |queue: &str, kind: &str| (queue.to_owned(), kind.to_owned());
        assert!(waiting_for_nobody(&[]).is_none());
        let one = waiting_for_nobody(&[line("mail", "letter")]).unwrap();
        assert_eq!(one.level, Level::Warning);
        assert!(one.detail.ends_with("runs those"), "{one:?}");
        let two = waiting_for_nobody(&[line("mail", "letter"), line("a", "b")]).unwrap();
        assert!(two.detail.ends_with(", and 1 more such lines"), "{two:?}");
    }
}
