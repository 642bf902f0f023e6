//! What the threads saw, and whether the database agrees.

use std::collections::{HashMap, HashSet};

use belay_core::JobState;
use belay_core::ops::{CancelAnswer, Outcome};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

/// What one thread, or all of them, saw.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) claimed: usize,
    pub(crate) deaths: usize,
    pub(crate) signalled: usize,
    pub(crate) stale: usize,
    pub(crate) suspended: usize,
    pub(crate) rescued: usize,
    pub(crate) taken_back: usize,
    asked: usize,
    unanswered: usize,
    accepted: Vec<i64>,
    accepted_from: HashMap<JobState, usize>,
    already: usize,
    refused: usize,
    completed: Vec<i64>,
    stopped: Vec<i64>,
}

impl Log {
    /// A report of a worker was settled like this.
    pub(crate) fn reported(&mut self, id: i64, state: JobState) {
        match state {
            JobState::Completed => self.completed.push(id),
            JobState::Cancelled => self.stopped.push(id),
            _ => {}
        }
    }

    /// Cancels were answered like this, when ids up to `known` existed.
    pub(crate) fn answered(&mut self, answers: &[CancelAnswer], known: i64) {
        self.asked += answers.len();
        for answer in answers {
            match answer.outcome {
                Outcome::Cancelled | Outcome::Cancelling => {
                    self.accepted.push(answer.id);
                    *self.accepted_from.entry(answer.was.unwrap()).or_default() += 1;
                }
                Outcome::Already => self.already += 1,
                Outcome::Refused => self.refused += 1,
                Outcome::Missing => self.unanswered += usize::from(answer.id <= known),
            }
        }
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.claimed += other.claimed;
        self.deaths += other.deaths;
        self.signalled += other.signalled;
        self.stale += other.stale;
        self.suspended += other.suspended;
        self.rescued += other.rescued;
        self.taken_back += other.taken_back;
        self.asked += other.asked;
        self.unanswered += other.unanswered;
        self.accepted.extend(other.accepted);
        for (state, n) in other.accepted_from {
            *self.accepted_from.entry(state).or_default() += n;
        }
        self.already += other.already;
        self.refused += other.refused;
        self.completed.extend(other.completed);
        self.stopped.extend(other.stopped);
        self
    }

    pub(crate) fn summary(&self) -> String {
        format!(
            "cancels asked {}, accepted {} {:?}, already {}, refused {}, taken back {}; claims {}, completions {}, stopped by report {}, \
             stale reports {}, rescued {}, workers declared dead {}, suspensions {}, signals {}",
            self.asked,
            self.accepted.len(),
            self.accepted_from,
            self.already,
            self.refused,
            self.taken_back,
            self.claimed,
            self.completed.len(),
            self.stopped.len(),
            self.stale,
            self.rescued,
            self.deaths,
            self.suspended,
            self.signalled,
        )
    }

    /// A race in which one side never came is no proof.
    pub(crate) fn assert_that_it_raced(&self) {
        let from = |state| self.accepted_from.get(&state).copied().unwrap_or(0);
        for (what, n) in [
            ("cancels of queued jobs", from(JobState::Queued)),
            ("cancels of running jobs", from(JobState::Running)),
            ("cancels of suspended jobs", from(JobState::Suspended)),
            ("cancels that came too late", self.refused),
            ("transactions taken back", self.taken_back),
            ("rescued jobs", self.rescued),
            ("stale reports", self.stale),
            ("completions", self.completed.len()),
        ] {
            assert!(n > 0, "there were no {what}: {}", self.summary());
        }
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn count(conn: &mut PgConnection, sql: &str) -> i64 {
    diesel::sql_query(sql).get_result::<Count>(conn).unwrap().n
}

pub(crate) fn unfinished(conn: &mut PgConnection) -> i64 {
    count(conn, "select count(*) as n from belay.job")
}

#[derive(QueryableByName)]
struct Cancelled {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// Everything that is wrong, in words. Empty is good.
pub(crate) fn judge(conn: &mut PgConnection, jobs: i64, log: &Log) -> Vec<String> {
    let cancelled: HashSet<i64> =
        diesel::sql_query("select id from belay.job_done where state = 'cancelled'")
            .load::<Cancelled>(conn)
            .unwrap()
            .into_iter()
            .map(|row| row.id)
            .collect();
    let accepted: HashSet<i64> = log.accepted.iter().copied().collect();
    let completed: HashSet<i64> = log.completed.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut check = |what: &str, n: usize| {
        if n > 0 {
            wrong.push(format!("{what}: {n}"));
        }
    };
    check(
        "accepted but not cancelled",
        accepted.difference(&cancelled).count(),
    );
    check(
        "cancelled without an accepted cancel",
        cancelled.difference(&accepted).count(),
    );
    check("accepted twice", log.accepted.len() - accepted.len());
    check(
        "reported complete and accepted as cancelled",
        accepted.intersection(&completed).count(),
    );
    check("completed twice", log.completed.len() - completed.len());
    check(
        "stopped by report without an accepted cancel",
        log.stopped
            .iter()
            .filter(|id| !accepted.contains(id))
            .count(),
    );
    check("existing ids left without an answer", log.unanswered);
    let zero = |conn: &mut PgConnection, sql: &str| usize::try_from(count(conn, sql)).unwrap();
    check(
        "jobs left",
        zero(conn, "select count(*) as n from belay.job"),
    );
    check(
        "jobs finished twice",
        zero(
            conn,
            "select count(*) - count(distinct id) as n from belay.job_done",
        ),
    );
    check(
        "jobs lost",
        zero(
            conn,
            &format!(
                "select count(*) as n from generate_series(1, {jobs}) g where not exists (select from belay.job_done d where d.id = g)"
            ),
        ),
    );
    check(
        "cancelled jobs without exactly one record of it",
        zero(
            conn,
            "select count(*) as n from belay.job_done d where d.state = 'cancelled' and
               (select count(*) from belay.job_event e where e.job = d.id and e.event = 'cancelled') <> 1",
        ),
    );
    check(
        "cancels of running jobs without exactly one record of the request",
        zero(
            conn,
            "select count(*) as n from belay.job_done d where d.was = 'cancelling' and
               (select count(*) from belay.job_event e where e.job = d.id and e.event = 'cancel_requested') <> 1",
        ),
    );
    check(
        "records of a cancel on jobs that were not cancelled",
        zero(
            conn,
            "select count(*) as n from belay.job_done d join belay.job_event e on e.job = d.id
             where d.state <> 'cancelled' and e.event in ('cancelled', 'cancel_requested')",
        ),
    );
    wrong
}
