//! Bulk actions run by workers.

mod taken_up;
mod whole;

use std::sync::Arc;

use crate::support::{Bench, PATIENCE, actor, config};
use belay_core::ops::{self, BulkKind, BulkTerms, NewJob};
use belay_testkit::eventually;
use belay_worker::executors::bulk::Bulk;
use belay_worker::{KindConfig, WorkerConfig};
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;

/// A worker that runs bulk actions, by so many jobs in a step, and nothing of what they act on.
pub(super) fn bulk_config(bench: &Bench, chunk: i32) -> WorkerConfig {
    let mut config = config();
    config.kinds = BulkKind::ALL
        .map(|bulk| {
            let executor = Bulk::new(bench.db.clone(), bulk).chunk(chunk);
            let mut kind = KindConfig::new(bulk.name(), "builtin", Arc::new(executor));
            kind.spec.max_attempts = 100;
            kind
        })
        .to_vec();
    config
}

pub(super) fn bulk_job(bulk: BulkKind, payload: &str) -> NewJob {
    NewJob {
        payload: payload.into(),
        ..NewJob::new(bulk.name())
    }
}

/// Makes a bulk job with terms, as its interface does.
pub(super) fn with_terms(bench: &Bench, job: &NewJob, terms: &BulkTerms) -> i64 {
    bench
        .db
        .tx(|conn| {
            let id = ops::enqueue(conn, 1, job, None, false, &actor())?.id;
            ops::keep_bulk_action(conn, id, terms, 0)?;
            Ok(id)
        })
        .unwrap()
}

pub(super) fn affected(bench: &Bench, id: i64) -> i64 {
    bench.number(&format!(
        "select coalesce(max(affected_count), 0) as n from belay.bulk_action where job = {id}"
    ))
}

/// Cancels that are on record as made by bulk actions, and the jobs they are about.
pub(super) fn recorded(bench: &Bench) -> (i64, i64) {
    let whence = "from belay.job_event where via = 'bulk-actions' and event in ('cancelled', 'cancel_requested')
        and not (event = 'cancelled' and was = 'cancelling')";
    (
        bench.number(&format!("select count(*) as n {whence}")),
        bench.number(&format!("select count(distinct job) as n {whence}")),
    )
}

/// Holds the row of a job until it is let go: no walk comes past it.
pub(super) fn barrier(bench: &Bench, id: i64) -> PgConnection {
    let mut conn = bench.test.conn();
    conn.batch_execute(&format!(
        "begin; select from belay.job where id = {id} for update"
    ))
    .unwrap();
    conn
}

/// Waits until everything before the barrier is done.
pub(super) fn until_stuck(bench: &Bench, bulk: i64, before: i64) {
    eventually(PATIENCE, || (affected(bench, bulk) == before).then_some(()));
}
