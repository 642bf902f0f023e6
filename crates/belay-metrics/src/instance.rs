//! What this process did and saw itself. Counters begin at 0 with each start.

use belay_core::ops::{Outcome, Rung, Via};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec};

use crate::buckets::{ANSWER, LIFE, STOP};
use crate::macros::collectors;
use crate::words::{JobOutcome, RescueOutcome, known_method};
use crate::{Lane, Metrics};

collectors! {
    struct Instance {
        /// Attempts begun by this process.
        claimed: IntCounterVec = "belay_jobs_claimed_total" ["queue", "kind"];
        /// Seconds from when a job could run to when this process claimed it.
        wait: HistogramVec = "belay_job_wait_seconds" ["queue"], LIFE;
        /// Attempts ended by this process, by how.
        finished: IntCounterVec = "belay_jobs_finished_total" ["queue", "kind", "outcome"];
        /// Seconds an attempt took from claim to end, however it ended.
        run: HistogramVec = "belay_job_run_seconds" ["kind"], LIFE;
        /// Seconds from an accepted cancel to when the worker of the job knew of it.
        cancel_told: Histogram = "belay_cancel_told_seconds", STOP;
        /// Seconds from an accepted cancel to the end of a running job, by what it took to stop it.
        cancel_took: HistogramVec = "belay_cancel_seconds" ["rung"], STOP;
        /// Reports refused because the job was not held any more under that fence.
        stale: IntCounter = "belay_stale_reports_total";
        /// Jobs taken away from dead workers by this process, by what became of them.
        rescued: IntCounterVec = "belay_jobs_rescued_total" ["outcome"];
        /// Heartbeats of this process.
        beats: IntCounterVec = "belay_heartbeats_total" ["result"];
        /// Seconds a heartbeat took.
        beat: Histogram = "belay_heartbeat_seconds", ANSWER;
        /// How often this process was found to have lost its lease.
        leases_lost: IntCounter = "belay_leases_lost_total";
        /// Queued jobs that were passed over because they committed late, and found by the sweeper of this process.
        swept: IntCounter = "belay_jobs_swept_total";
        /// Scheduled jobs that this process put into their line.
        promoted: IntCounter = "belay_jobs_promoted_total";
        /// Attempts in progress: heavy ones occupy a slot, light ones come in batches.
        running: IntGaugeVec = "belay_running_jobs" ["class"];
        /// Answers given to cancels by this process, one per job named.
        cancels: IntCounterVec = "belay_cancels_total" ["interface", "outcome"];
        /// Jobs enqueued through this process.
        enqueued: IntCounterVec = "belay_jobs_enqueued_total" ["interface"];
        /// HTTP requests answered.
        http: IntCounterVec = "belay_http_requests_total" ["route", "method", "status"];
        /// Seconds from an HTTP request to the end of its answer.
        http_seconds: HistogramVec = "belay_http_request_seconds" ["route", "method"], ANSWER;
        /// Connections of the pool for requests.
        pool: IntGaugeVec = "belay_pool_connections" ["state"];
        /// Always 1; the version is in the label.
        build: IntGaugeVec = "belay_build_info" ["version"];
    }
}

impl Instance {
    /// Shows the series whose labels are known beforehand from the start, so that the first event of a kind is a rise from 0
    /// and not a series out of nowhere, which `rate()` would not see.
    pub(crate) fn show_known(&self) {
        for rung in [Rung::Cooperative, Rung::Term, Rung::Kill] {
            let _ = self.cancel_took.with_label_values(&[rung.as_str()]);
        }
        for outcome in RescueOutcome::ALL {
            let _ = self.rescued.with_label_values(&[outcome.as_str()]);
        }
        for result in ["ok", "failed"] {
            let _ = self.beats.with_label_values(&[result]);
        }
        self.build
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
    }
}

/// What this process reports as it works. All of these are cheap and never block for long.
impl Metrics {
    /// An attempt began, `waited_s` seconds after the job could run.
    pub fn claimed(&self, queue: &str, kind: &str, waited_s: f64) {
        self.lane(queue, kind).claimed(&[waited_s]);
    }

    /// As [`Metrics::claimed`] for a batch of one queue and kind: seconds waited, one per job.
    pub fn claimed_many(&self, queue: &str, kind: &str, waited_s: &[f64]) {
        self.lane(queue, kind).claimed(waited_s);
    }

    /// An attempt ended, `ran_s` seconds after its claim.
    pub fn finished(&self, queue: &str, kind: &str, outcome: JobOutcome, ran_s: f64) {
        self.lane(queue, kind).finished(outcome, &[ran_s]);
    }

    /// As [`Metrics::finished`] for a batch of one queue, kind and outcome: seconds run, one per job.
    pub fn finished_many(&self, queue: &str, kind: &str, outcome: JobOutcome, ran_s: &[f64]) {
        self.lane(queue, kind).finished(outcome, ran_s);
    }

    /// The counters of one queue and kind, to be kept by whoever reports many of them: no look-up then.
    #[must_use]
    pub fn lane(&self, queue: &str, kind: &str) -> Lane {
        self.inner.lanes.get(&self.inner.instance, queue, kind)
    }

    /// A worker learnt of a cancel `seconds` after it was accepted.
    pub fn cancel_told(&self, seconds: f64) {
        self.instance().cancel_told.observe(seconds.max(0.0));
    }

    /// A running job has stopped, `seconds` after its cancel was accepted.
    pub fn cancel_took(&self, rung: Rung, seconds: f64) {
        self.instance()
            .cancel_took
            .with_label_values(&[rung.as_str()])
            .observe(seconds.max(0.0));
    }

    /// A report was refused as stale.
    pub fn stale_report(&self) {
        self.instance().stale.inc();
    }

    /// `n` jobs of dead workers were taken away.
    pub fn rescued(&self, outcome: RescueOutcome, n: u64) {
        self.instance()
            .rescued
            .with_label_values(&[outcome.as_str()])
            .inc_by(n);
    }

    /// A heartbeat was answered, or failed, after `seconds`.
    pub fn beat(&self, ok: bool, seconds: f64) {
        let result = if ok { "ok" } else { "failed" };
        self.instance().beats.with_label_values(&[result]).inc();
        self.instance().beat.observe(seconds.max(0.0));
    }

    /// This process lost its lease.
    pub fn lease_lost(&self) {
        self.instance().leases_lost.inc();
    }

    /// The sweeper found `n` jobs that claims had passed over.
    pub fn swept(&self, n: u64) {
        self.instance().swept.inc_by(n);
    }

    /// `n` scheduled jobs were put into their line.
    pub fn promoted(&self, n: u64) {
        self.instance().promoted.inc_by(n);
    }

    /// Attempts in progress now: those that occupy a slot, and those that come in batches.
    pub fn running(&self, heavy: i64, light: i64) {
        let running = &self.instance().running;
        running.with_label_values(&["heavy"]).set(heavy);
        running.with_label_values(&["light"]).set(light);
    }

    /// A cancel of one job was answered.
    pub fn cancel_answered(&self, interface: Via, outcome: Outcome) {
        self.instance()
            .cancels
            .with_label_values(&[interface.as_str(), outcome.as_str()])
            .inc();
    }

    /// `n` jobs were enqueued.
    pub fn enqueued(&self, interface: Via, n: u64) {
        self.instance()
            .enqueued
            .with_label_values(&[interface.as_str()])
            .inc_by(n);
    }

    /// An HTTP request was answered after `seconds`. `route` is the pattern of the route, never the path: paths hold ids.
    pub fn http(&self, route: &str, method: &str, status: u16, seconds: f64) {
        let route = self.inner.routes.pass(route);
        let method = known_method(method);
        // Statuses are three digits; whatever else a caller says is shown as 0.
        let status = if (100..1000).contains(&status) {
            status
        } else {
            0
        };
        let instance = self.instance();
        instance
            .http
            .with_label_values(&[route, method, status.to_string().as_str()])
            .inc();
        instance
            .http_seconds
            .with_label_values(&[route, method])
            .observe(seconds.max(0.0));
    }

    /// Connections of the request pool: open in all, and idle of those.
    pub fn pool(&self, open: u32, idle: u32) {
        let pool = &self.instance().pool;
        pool.with_label_values(&["open"]).set(i64::from(open));
        pool.with_label_values(&["idle"]).set(i64::from(idle));
    }

    pub(crate) fn instance(&self) -> &Instance {
        &self.inner.instance
    }
}
