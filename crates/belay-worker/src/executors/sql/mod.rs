//! Runs a statement that an operator has registered, with parameters from the payload, as a role of the operator's.
//!
//! - **In Belay's own database** the effect of the statement, the check of the fence and the end of the job are one transaction:
//!   exactly once. The last command of it is `belay.sql_settle`, which locks the job and ends it; when a cancel or a rescue was first,
//!   all is rolled back. A lost connection, a killed daemon, a late attempt: none can leave an effect without its completion, or
//!   a completion without its effect.
//! - **In another database** it is a fenced best effort: the job is looked at right before the commit. A cancel that is accepted between
//!   that look and the commit finds the statement done (it says `finished_anyway`). When the worker dies between the commit and the
//!   report, or both databases are away at once, the statement may take effect twice; write it so that this does no harm.
//!
//! A statement is stopped by cancelling it in the server, again and again until it has ended, and after the grace period by ending its
//! session. When the server does not answer, the connection is cut on this side: nothing is committed without a word from here, and
//! the server ends what runs for nobody within two seconds of noticing (`client_connection_check_interval`).
//!
//! The role is what keeps a statement within its rights. Roles that are, or could become, superusers, owners of Belay's tables or the
//! like are refused at the start of the worker and of every attempt.

mod fault;
mod libpq;
mod params;
mod session;
mod settings;
mod signal;
mod statement;
mod watch;
mod work;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use belay_core::Db;
use tokio::task::spawn_blocking;

pub use settings::{SettingsError, SqlSettings};

use self::fault::Fault;
use self::session::{Place, Whose};
use self::settings::Ready;
use self::signal::Signal;
use self::watch::{Ended, Watch};
use self::work::Work;
use crate::executors::{Attempt, Executor, Finish, Rung, Running};

/// Runs the statement of one kind.
#[derive(Debug)]
pub struct SqlExecutor {
    ready: Arc<Ready>,
    db: OnceLock<Db>,
}

impl SqlExecutor {
    /// An executor with these settings. The worker tells it where the jobs are.
    ///
    /// # Errors
    /// The first setting that can never work.
    pub fn new(settings: SqlSettings) -> Result<Self, SettingsError> {
        Ok(Self {
            ready: Arc::new(settings.check()?),
            db: OnceLock::new(),
        })
    }
}

struct StopWhenDropped(Arc<Signal>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Executor for SqlExecutor {
    fn attach(&self, db: &Db) -> Result<(), String> {
        let db = self.db.get_or_init(|| db.clone());
        match work::inspect(&self.ready, db) {
            Ok(Place::Same) => Ok(()),
            Ok(Place::Other) => {
                tracing::info!(
                    "a kind runs its statement in another database than Belay's: its effect and the end of a job are not one transaction"
                );
                Ok(())
            }
            Err(Fault::Bad(message)) => Err(message),
            Err(fault) => {
                // It may be there when it is needed; every attempt looks again.
                tracing::warn!(?fault, "the database of a kind cannot be looked at now");
                Ok(())
            }
        }
    }

    fn grace(&self) -> Option<Duration> {
        Some(self.ready.grace)
    }

    fn run(&self, attempt: Attempt) -> Running {
        let Some(db) = self.db.get().cloned() else {
            return Box::pin(async {
                Finish::Failed {
                    error: "the executor was not told where the jobs are".into(),
                    retry: true,
                }
            });
        };
        let ready = Arc::clone(&self.ready);
        Box::pin(async move {
            let mut control = attempt.control.clone();
            let signal = Arc::new(Signal::default());
            // Whoever drops this future wants the statement to end.
            let _guard = StopWhenDropped(Arc::clone(&signal));
            let whose = Whose {
                job: attempt.job,
                fence: attempt.fence,
            };
            let work = Work {
                ready: Arc::clone(&ready),
                db,
                job: attempt.job,
                fence: attempt.fence,
                worker: attempt.worker,
                attempt: attempt.attempt,
                payload: attempt.payload,
                sink: attempt.sink,
            };
            let task = {
                let signal = Arc::clone(&signal);
                spawn_blocking(move || work.run(&signal))
            };
            let watch = Watch {
                ready,
                whose,
                signal: Arc::clone(&signal),
            };
            finish(watch.over(task, &mut control).await)
        })
    }
}

fn finish(ended: Ended) -> Finish {
    let stopped = |rung| Finish::Stopped { rung };
    let (outcome, told) = match ended {
        Ended::NeverBegun => return stopped(Rung::Cooperative),
        Ended::Over { outcome, told } => (outcome, told),
    };
    match outcome {
        Ok(Ok(finish)) => finish,
        Ok(Err(fault)) => match told {
            Some(rung) if fault.is_interruption() => stopped(rung),
            _ => fault.finish(),
        },
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and the task with it.
            Err(_) => stopped(Rung::Kill),
        },
    }
}
