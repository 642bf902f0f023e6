//! Bulk jobs that a worker holds, and their steps.

use belay_core::ops::{
    self, BulkAttempt, BulkFilter, BulkKind, BulkStep, BulkTerms, BulkWalk, NewJob, Standing,
};
use diesel::prelude::*;

use super::{Made, TENANT, make_from, me, run};
use belay_core::JobState;

/// A bulk job that runs, made with these terms: it, and its filter.
pub(crate) struct Bulk {
    pub(crate) attempt: BulkAttempt,
    pub(crate) made: Made,
    pub(crate) filter: BulkFilter,
}

impl Bulk {
    #[track_caller]
    pub(crate) fn with(
        conn: &mut PgConnection,
        bulk: BulkKind,
        payload: &str,
        terms: &BulkTerms,
    ) -> Self {
        let this = Self::running(conn, bulk, payload);
        ops::keep_bulk_action(conn, this.attempt.job, terms, 0).unwrap();
        this
    }

    /// As it is made through other interfaces: without terms.
    #[track_caller]
    pub(crate) fn running(conn: &mut PgConnection, bulk: BulkKind, payload: &str) -> Self {
        let job = NewJob {
            payload: payload.into(),
            ..NewJob::new(bulk.name())
        };
        let made = make_from(conn, JobState::Running, job);
        Self {
            attempt: BulkAttempt {
                job: made.id,
                fence: made.fence,
                worker: made.worker,
            },
            made,
            filter: BulkFilter::parse(bulk, payload).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn begin(&self, conn: &mut PgConnection) -> BulkWalk {
        let (standing, walk) = self.try_begin(conn);
        assert_eq!(standing, Standing::Go);
        walk.unwrap()
    }

    #[track_caller]
    pub(crate) fn try_begin(&self, conn: &mut PgConnection) -> (Standing, Option<BulkWalk>) {
        ops::begin_bulk(conn, self.attempt, self.filter.bulk).unwrap()
    }

    #[track_caller]
    pub(crate) fn step(&self, conn: &mut PgConnection, chunk: i32) -> BulkStep {
        self.step_within(conn, chunk, 10_000)
    }

    #[track_caller]
    pub(crate) fn step_within(&self, conn: &mut PgConnection, chunk: i32, window: i32) -> BulkStep {
        ops::bulk_step(conn, self.attempt, &self.filter, chunk, window).unwrap()
    }

    /// Begins, walks to the end and answers the last step and how many there were.
    #[track_caller]
    pub(crate) fn walk(&self, conn: &mut PgConnection, chunk: i32) -> (BulkStep, usize) {
        self.begin(conn);
        for n in 1..1000 {
            let step = self.step(conn, chunk);
            assert_eq!(step.standing, Standing::Go);
            if step.over {
                return (step, n);
            }
        }
        panic!("the walk does not end");
    }
}

/// A step that did something.
pub(crate) fn went(affected: i64, done: i64, over: bool) -> BulkStep {
    BulkStep {
        standing: Standing::Go,
        affected,
        done,
        over,
    }
}

/// A step that did nothing.
pub(crate) fn stuck(standing: Standing) -> BulkStep {
    BulkStep {
        standing,
        affected: 0,
        done: 0,
        over: false,
    }
}

/// Jobs in another tenant.
#[track_caller]
pub(crate) fn in_another_tenant(conn: &mut PgConnection, job: &NewJob) -> i64 {
    let (other, _) = ops::create_tenant(conn, "other").unwrap();
    assert_ne!(other, TENANT);
    ops::enqueue(conn, other, job, None, false, &me())
        .unwrap()
        .id
}

/// Ends an unfinished job that waits as failed, as if it had run.
#[track_caller]
pub(crate) fn fail_all_of_kind(conn: &mut PgConnection, kind: &str) {
    run(
        conn,
        &format!(
            "with d as (delete from belay.job where kind = '{kind}' returning *)
             insert into belay.job_done (id, worker, run_at, created_at, started_at, claimed_at, retry_of, tenant, was, state, fence,
               priority, attempt, max_attempts, queue, kind, created_by, created_via, unique_key, payload)
             select id, 1, run_at, created_at, now(), now(), retry_of, tenant, 'running', 'failed', 1,
               priority, 1, max_attempts, queue, kind, created_by, created_via, unique_key, payload from d"
        ),
    );
}
