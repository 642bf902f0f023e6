//! One attempt at a bulk action.

use std::time::Duration;

use belay_core::db::Role;
use belay_core::ops::{self, BulkAttempt, BulkFilter, BulkKind, BulkStep, BulkWalk, Standing};
use belay_core::{Db, Error, Result, Session, query};
use diesel::connection::SimpleConnection;
use tokio::sync::watch;
use tokio::time::sleep;

use super::pace::Pace;
use crate::executors::{Attempt, Control, Finish, Progress, Rung};
use crate::link::Link;

/// Most jobs that one step looks at, so that a filter that fits few of many jobs holds no transaction long.
const WINDOW: i32 = 10_000;
/// Jobs counted when a walk begins, at most; more are not known.
const COUNTED: i64 = 10_000_000;
/// Pause after a connection was lost, at least.
const CUT_OFF: Duration = Duration::from_millis(20);
/// Pause before the database is asked again whether it goes on, when the worker has not heard of it.
const UNHEARD: Duration = Duration::from_millis(100);

/// What a step may wait for. What it has locked waits with it, and reports of workers are not sent again for ever.
const STEP_LIMITS: &str = "set local lock_timeout = '100ms'; set local statement_timeout = '10s'";
/// The same for a step that took too long with a few jobs and now has one: it may be an ingest job with gigabytes of uploads,
/// which go with its cancel.
const LONE_STEP_LIMITS: &str =
    "set local lock_timeout = '100ms'; set local statement_timeout = '300s'";
const COUNT_LIMIT: &str = "set local statement_timeout = '10s'";

const STOPPED: Finish = Finish::Stopped {
    rung: Rung::Cooperative,
};

/// Walks until the walk is over, or the worker wants something else.
pub(super) async fn run(db: Db, bulk: BulkKind, chunk: i32, mut attempt: Attempt) -> Finish {
    let filter = match BulkFilter::parse(bulk, &attempt.payload) {
        Ok(filter) => filter,
        Err(error) => return failed(&error, false),
    };
    let who = BulkAttempt {
        job: attempt.job,
        fence: attempt.fence,
        worker: attempt.worker,
    };
    let mut walker = Walker {
        link: Some(Link::new(&db, Role::Duty, Duration::from_secs(1))),
        who,
        filter,
        pace: Pace::new(chunk),
        begun: None,
    };
    while may_go_on(&mut attempt.control).await {
        let (standing, pause) = match walker.step().await {
            Ok(Step::Moved { done, total }) => {
                let total = total.map(|total| total.max(done));
                show(&attempt, done, total);
                continue;
            }
            Ok(Step::Over { done }) => {
                show(&attempt, done, Some(done));
                return Finish::Completed;
            }
            Ok(Step::Stuck(standing)) => (Some(standing), UNHEARD),
            Err(error) if error.is_transient() => {
                tracing::debug!(job = who.job, %error, "a step of a bulk action is tried again");
                (None, walker.pause_after(&error))
            }
            // The next attempt goes on from here.
            Err(error) => return failed(&error, true),
        };
        match standing {
            // Nothing is left to do here: the worker will say so.
            Some(Standing::Gone) => {
                told_to_stop(&mut attempt.control).await;
                return STOPPED;
            }
            Some(Standing::TermsLost) => return failed(&terms_lost(), false),
            Some(Standing::Held | Standing::Go) | None => {
                tokio::select! {
                    () = sleep(pause) => {}
                    _ = attempt.control.changed() => {}
                }
            }
        }
    }
    STOPPED
}

fn show(attempt: &Attempt, done: i64, total: Option<i64>) {
    attempt.sink.progress(Progress {
        done,
        total,
        message: None,
    });
}

fn failed(error: &Error, retry: bool) -> Finish {
    Finish::Failed {
        error: error.to_string(),
        retry,
    }
}

fn terms_lost() -> Error {
    Error::Refused {
        state: None,
        message: "this repeats a bulk action whose data is not kept any more, and with it its limit; make a new bulk action".into(),
    }
}

/// Waits while the attempt is to be held still; `false` when it is to stop.
async fn may_go_on(control: &mut watch::Receiver<Control>) -> bool {
    let wanted = control.wait_for(|wanted| *wanted != Control::Suspend).await;
    wanted.is_ok_and(|wanted| *wanted == Control::Run)
}

/// Waits for the stop. An error means that nobody is left who could say it.
async fn told_to_stop(control: &mut watch::Receiver<Control>) {
    let _ = control
        .wait_for(|wanted| matches!(wanted, Control::Stop(_) | Control::Kill(_)))
        .await;
}

/// What a step came to.
enum Step {
    Moved { done: i64, total: Option<i64> },
    Over { done: i64 },
    Stuck(Standing),
}

struct Walker {
    /// Elsewhere while a step runs.
    link: Option<Link>,
    who: BulkAttempt,
    filter: BulkFilter,
    pace: Pace,
    /// The walk as it stood when this attempt began, and how many jobs it is about.
    begun: Option<Option<i64>>,
}

impl Walker {
    async fn step(&mut self) -> Result<Step> {
        let Some(total) = self.begun else {
            return self.begin().await;
        };
        let (who, filter, jobs) = (self.who, self.filter.clone(), self.pace.jobs());
        let step = self
            .on_session(move |session| {
                let limits = if jobs == 1 {
                    LONE_STEP_LIMITS
                } else {
                    STEP_LIMITS
                };
                session.tx(|conn| {
                    conn.batch_execute(limits)?;
                    ops::bulk_step(conn, who, &filter, jobs, WINDOW)
                })
            })
            .await;
        let step: BulkStep = step?;
        if step.standing != Standing::Go {
            return Ok(Step::Stuck(step.standing));
        }
        self.pace.went_through();
        let done = step.done;
        Ok(if step.over {
            Step::Over { done }
        } else {
            Step::Moved { done, total }
        })
    }

    async fn begin(&mut self) -> Result<Step> {
        let (who, filter) = (self.who, self.filter.clone());
        let begun = self
            .on_session(move |session| {
                let (standing, walk) =
                    session.tx(|conn| ops::begin_bulk(conn, who, filter.bulk))?;
                match walk.filter(|_| standing == Standing::Go) {
                    Some(walk) => Ok(Ok((walk.done, total(session, who, &filter, &walk)?))),
                    None => Ok(Err(standing)),
                }
            })
            .await?;
        Ok(match begun {
            Ok((done, total)) => {
                self.begun = Some(total);
                Step::Moved { done, total }
            }
            Err(standing) => Step::Stuck(standing),
        })
    }

    /// Runs work on the session, away from the threads of others.
    async fn on_session<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Some(mut link) = self.link.take() else {
            return Err(gone_wrong("its connection is lost"));
        };
        let (link, outcome) = tokio::task::spawn_blocking(move || {
            let outcome = link.run(work);
            (link, outcome)
        })
        .await
        .map_err(gone_wrong)?;
        self.link = Some(link);
        outcome
    }

    fn pause_after(&mut self, error: &Error) -> Duration {
        match (error, &self.link) {
            (Error::Unreachable(_), Some(link)) => link.retry_in().max(CUT_OFF),
            _ => self.pace.was_held_up(),
        }
    }
}

fn gone_wrong(why: impl std::fmt::Display) -> Error {
    Error::Refused {
        state: None,
        message: format!("a step of the bulk action ended unexpectedly: {why}"),
    }
}

/// How many jobs the walk is about, counted once. A count that takes too long is left out: it is only shown.
fn total(
    session: &mut Session,
    who: BulkAttempt,
    filter: &BulkFilter,
    walk: &BulkWalk,
) -> Result<Option<i64>> {
    if walk.total.is_some() {
        return Ok(walk.total);
    }
    let counted = session.tx(|conn| {
        conn.batch_execute(COUNT_LIMIT)?;
        let before = Some((walk, who.job));
        query::count_bulk(conn, walk.tenant, filter, before, COUNTED + 1)
    });
    let left = match counted {
        Ok(left) if left <= COUNTED => left,
        Ok(_) | Err(Error::Busy(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut total = walk.done + left;
    if walk.max_limit > 0 {
        total = total.min(walk.max_limit);
    }
    session.run(|conn| ops::note_bulk_total(conn, who.job, total))?;
    Ok(Some(total))
}
