//! A job in each of the nine states, made through the operations that a daemon uses.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use belay_core::id::JobRef;
use belay_core::model::Job;
use belay_core::ops::{
    self, Actor, CancelLimit, LineFloor, NewJob, NewWorker, Report, Rung, Verdict, Via,
};
use belay_core::{JobState, query};
use chrono::{TimeDelta, Utc};

use super::World;

/// A job, and the worker and fence that hold it or held it last. Both are 0 for a job that was never claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) id: i64,
    pub(crate) worker: i64,
    pub(crate) fence: i32,
}

/// What may be wanted of the job beside its state.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) tenant: i32,
    pub(crate) kind: String,
    pub(crate) payload: String,
}

impl Default for Wish {
    /// Of the tenant `default`, and of a kind that can be held still.
    fn default() -> Self {
        Self {
            tenant: 1,
            kind: "sleep".into(),
            payload: "{}".into(),
        }
    }
}

/// Who makes and cancels these jobs.
fn me() -> Actor {
    Actor::new("maker", Via::Native)
}

impl World {
    /// Makes a job of the tenant `default` in a state.
    pub(crate) fn make(&self, state: JobState) -> Made {
        self.make_with(state, &Wish::default())
    }

    /// Makes a job in a state, in a queue of its own. What was held was held by a new worker. A cancelled job was running when
    /// it was cancelled.
    pub(crate) fn make_with(&self, state: JobState, wish: &Wish) -> Made {
        static QUEUES: AtomicU32 = AtomicU32::new(0);
        let queue = format!("made-{}", QUEUES.fetch_add(1, Ordering::Relaxed));
        let job = NewJob {
            payload: wish.payload.clone(),
            queue: Some(queue.clone()),
            run_at: (state == JobState::Scheduled).then(|| Utc::now() + TimeDelta::hours(1)),
            ..NewJob::new(wish.kind.clone())
        };
        let open = state == JobState::Open;
        let id = self
            .db
            .tx(|c| ops::enqueue(c, wish.tenant, &job, None, open, &me()))
            .unwrap()
            .id;
        match state {
            JobState::Open | JobState::Scheduled | JobState::Queued => Made {
                id,
                worker: 0,
                fence: 0,
            },
            _ => {
                let made = self.start(id);
                self.bring_to(made, state);
                made
            }
        }
    }

    /// A new worker that can run a job.
    pub(crate) fn worker_for(&self, job: &Job) -> i64 {
        let worker = NewWorker {
            name: "made".into(),
            host: "here".into(),
            pid: 1,
            version: "0".into(),
            queues: None,
            kinds: vec![job.kind.clone()],
            slots: 1,
            lease: Duration::from_secs(600),
        };
        self.db.read(|c| ops::register(c, &worker)).unwrap()
    }

    /// A new worker claims a queued job, and no other of its line is waiting.
    pub(crate) fn start(&self, id: i64) -> Made {
        let job = self.seen(id);
        let worker = self.worker_for(&job);
        let line = LineFloor {
            line: ops::Line {
                priority: job.priority,
                queue: job.queue,
                kind: job.kind,
            },
            floor: 0,
        };
        let claimed = self.db.read(|c| ops::claim(c, worker, &[line], 1)).unwrap();
        assert_eq!(claimed[0].id, id);
        Made {
            id,
            worker,
            fence: claimed[0].fence,
        }
    }

    fn bring_to(&self, made: Made, state: JobState) {
        match state {
            JobState::Open | JobState::Scheduled | JobState::Queued | JobState::Running => {}
            JobState::Suspended => {
                let suspend = |c: &mut _| ops::suspend(c, None, made.id, &me(), None);
                self.db.tx(suspend).unwrap();
            }
            JobState::Cancelling => self.cancelled_by_maker(made.id),
            JobState::Cancelled => {
                self.cancelled_by_maker(made.id);
                self.settle(
                    made,
                    Verdict::Stopped {
                        rung: Rung::Cooperative,
                        cause: "asked".into(),
                    },
                );
            }
            JobState::Completed => self.settle(made, Verdict::Completed),
            JobState::Failed => self.settle(
                made,
                Verdict::Failed {
                    error: "made to fail".into(),
                    delay_s: 0.0,
                    retry: false,
                },
            ),
        }
        assert_eq!(self.seen(made.id).state, state);
    }

    /// Cancels a job past the API, for the reason `made so`.
    pub(crate) fn cancelled_by_maker(&self, id: i64) {
        let answer = self
            .db
            .tx(|c| ops::cancel_one(c, None, id, &me(), Some("made so"), CancelLimit::Any))
            .unwrap();
        assert!(answer.outcome.is_accepted(), "{answer:?}");
    }

    /// The worker reports on a job that it holds.
    pub(crate) fn settle(&self, made: Made, verdict: Verdict) {
        let report = Report {
            id: made.id,
            fence: made.fence,
            verdict,
        };
        let settled = self
            .db
            .tx(|c| ops::settle(c, made.worker, std::slice::from_ref(&report)))
            .unwrap();
        assert!(matches!(settled[..], [ops::Settled::Now(_)]), "{settled:?}");
    }

    /// A job that ran once and waits in its line for the second time.
    pub(crate) fn queued_again(&self) -> i64 {
        let made = self.make(JobState::Running);
        self.settle(
            made,
            Verdict::Failed {
                error: "the first time".into(),
                delay_s: 0.0,
                retry: true,
            },
        );
        self.db.read(|c| ops::promote(c, 100)).unwrap();
        assert_eq!(self.seen(made.id).state, JobState::Queued);
        made.id
    }

    /// A job as it is stored.
    pub(crate) fn seen(&self, id: i64) -> Job {
        self.db
            .read(|c| query::get(c, None, &JobRef::number(id)))
            .unwrap()
    }
}
