//! What the database says: the same whichever node is asked, so a dashboard takes the maximum over nodes and never the sum.

use std::collections::{BTreeMap, HashSet};

use belay_core::JobState;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec, IntGauge, IntGaugeVec};

use crate::macros::collectors;
use crate::sample::{Reading, Sample};

/// States of unfinished jobs, all of which are shown for every queue.
const UNFINISHED: [JobState; 6] = [
    JobState::Open,
    JobState::Scheduled,
    JobState::Queued,
    JobState::Running,
    JobState::Suspended,
    JobState::Cancelling,
];

collectors! {
    struct Service {
        /// Unfinished jobs; a lower bound where belay_jobs_capped is 1.
        jobs: IntGaugeVec = "belay_jobs" ["queue", "state"];
        /// 1 where counting jobs stopped at the cap.
        capped: IntGaugeVec = "belay_jobs_capped" ["queue", "state"];
        /// Workers: alive, stopping in good order, or dead and not forgotten yet.
        workers: IntGaugeVec = "belay_workers" ["state"];
        /// Slots of all living workers: heavy attempts that can be in progress at once.
        slots: IntGauge = "belay_worker_slots";
        /// Jobs held by living workers at their last heartbeats.
        held: IntGauge = "belay_worker_jobs";
        /// Jobs that are being stopped now.
        cancelling: IntGauge = "belay_cancelling_jobs";
        /// Jobs whose accepted cancel has taken longer than it ever should.
        overdue: IntGauge = "belay_cancelling_overdue_jobs";
        /// Seconds since the oldest cancel was accepted that has not ended its job yet; 0 without one.
        oldest_cancel: Gauge = "belay_cancelling_oldest_seconds";
        /// Age of the oldest snapshot and of the oldest writing transaction in the database; both slow a queue down.
        transaction: GaugeVec = "belay_database_oldest_seconds" ["transaction"];
        /// Days, from tomorrow on, for which there is a partition for finished jobs.
        partitions: IntGauge = "belay_partitions_ahead";
        /// 1 when the last look at the database succeeded. Without that the other figures of this group are old.
        up: IntGauge = "belay_database_up";
        /// Seconds since the figures read from the database were read.
        age: Gauge = "belay_database_sample_age_seconds";
        /// Seconds the last look at the database took.
        took: Gauge = "belay_database_sample_seconds";
    }
}

impl Service {
    /// Sets every series to what the sample says and answers them. Series that a queue had before and has no more go to 0: a
    /// series that disappears would keep its last value in the eyes of many dashboards. What was never read is left out, because
    /// a 0 would be a lie.
    pub(crate) fn show<'a>(
        &self,
        sample: &'a Sample,
        queue_label: impl Fn(&'a str) -> &'a str,
        shown: &mut HashSet<String>,
    ) -> Vec<MetricFamily> {
        self.up.set(i64::from(sample.up));
        self.took.set(sample.took.as_secs_f64());
        let Some(reading) = &sample.reading else {
            return self.up.collect();
        };
        self.age.set(reading.at.elapsed().as_secs_f64());
        self.show_jobs(reading, queue_label, shown);
        self.show_workers(reading);
        self.cancelling.set(reading.cancelling.now);
        self.overdue.set(reading.cancelling.overdue);
        self.oldest_cancel.set(reading.cancelling.oldest_s);
        self.partitions.set(i64::from(reading.partitions_ahead));
        for (word, seconds) in [
            ("snapshot", reading.oldest_snapshot_s),
            ("writing", reading.oldest_writing_s),
        ] {
            self.transaction.with_label_values(&[word]).set(seconds);
        }
        self.registry.gather()
    }

    fn show_jobs<'a>(
        &self,
        reading: &'a Reading,
        queue_label: impl Fn(&'a str) -> &'a str,
        shown: &mut HashSet<String>,
    ) {
        let mut counts: BTreeMap<(&str, JobState), (i64, bool)> = BTreeMap::new();
        for row in &reading.jobs {
            let queue = queue_label(&row.queue);
            if !shown.contains(queue) {
                shown.insert(queue.to_owned());
            }
            // Several queues may share one label.
            let (jobs, capped) = counts.entry((queue, row.state)).or_default();
            *jobs += row.jobs;
            *capped |= row.capped;
        }
        for queue in shown.iter() {
            for state in UNFINISHED {
                let (jobs, capped) = counts
                    .get(&(queue.as_str(), state))
                    .copied()
                    .unwrap_or_default();
                let labels = [queue.as_str(), state.as_str()];
                self.jobs.with_label_values(&labels).set(jobs);
                self.capped
                    .with_label_values(&labels)
                    .set(i64::from(capped));
            }
        }
    }

    fn show_workers(&self, reading: &Reading) {
        let workers = &reading.workers;
        for (word, n) in [
            ("alive", workers.alive),
            ("stopping", workers.stopping),
            ("dead", workers.dead),
        ] {
            self.workers.with_label_values(&[word]).set(n);
        }
        self.slots.set(workers.slots);
        self.held.set(workers.jobs);
    }
}
