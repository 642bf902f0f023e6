//! Closures as jobs.

mod ends;
mod example;
mod prefetch;
mod stops;
mod together;

use std::time::Duration;

use belay_core::model::OutputView;
use belay_core::ops::NewJob;
use belay_core::query;
use belay_worker::executors::native::{JobContext, JobError, Native};
use belay_worker::{Backoff, KindConfig, Worker, WorkerBuilder};

use crate::support::Bench;

type Outcome = Result<(), JobError>;

/// Quick settings.
fn builder(bench: &Bench) -> WorkerBuilder {
    Worker::builder()
        .db(bench.db.clone())
        .name("test")
        .metrics(bench.metrics.clone())
        .beat(Duration::from_millis(200))
        .lease(Duration::from_secs(10))
        .duties(true)
}

/// A worker with these kinds.
fn start<K: Into<KindConfig>>(bench: &Bench, kinds: impl IntoIterator<Item = K>) -> Worker {
    kinds
        .into_iter()
        .fold(builder(bench), WorkerBuilder::kind)
        .start()
        .unwrap()
}

/// A synchronous kind without waits between its attempts.
fn sync(name: &str, run: impl Fn(JobContext) -> Outcome + Send + Sync + 'static) -> Native {
    Native::sync(name, run).backoff(Backoff::fixed(Duration::ZERO))
}

/// A job with this payload.
fn job(kind: &str, payload: &str) -> NewJob {
    NewJob {
        payload: payload.into(),
        ..NewJob::new(kind)
    }
}

fn outputs(bench: &Bench, id: i64) -> Vec<OutputView> {
    bench.db.read(|conn| query::outputs(conn, id)).unwrap()
}

fn rung(bench: &Bench, id: i64) -> String {
    bench.job(id).cancel().unwrap().rung.clone().unwrap()
}
