//! One attempt on its thread: from the connection to the commit.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use belay_core::ops::{self, AttemptStanding, OutputRow, Report, Rung, Settled, Verdict};
use belay_core::{Db, JobState};

use super::fault::{Fault, conceal};
use super::libpq::{BIGINT, BYTEA, Connection, INTEGER, PgError, TEXT};
use super::params::bind;
use super::session::{self, Place, Whose, param};
use super::settings::Ready;
use super::signal::{EndWhenDropped, Signal};
use crate::executors::{Finish, Output, Sink};

/// What follows the statement. Whoever can release the savepoint is still in the transaction that began with it. What deferred constraints
/// have to say is heard while it can still be said of this statement, and in its time. What comes then is ours, and quick.
const AFTER: &CStr = c"release savepoint belay_effect; set constraints all immediate; \
    set local statement_timeout = '30s'; set local lock_timeout = '15s'";

/// How long it is asked what became of a commit whose answer was lost.
const ASK: Duration = Duration::from_secs(60);
/// How long when the attempt is to end.
const ASK_STOPPED: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(300);

/// What is run, and for whom.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) ready: Arc<Ready>,
    pub(super) db: Db,
    pub(super) job: i64,
    pub(super) fence: i32,
    pub(super) worker: i64,
    pub(super) attempt: i16,
    pub(super) payload: String,
    pub(super) sink: Arc<dyn Sink>,
}

impl Work {
    /// Runs the statement and ends the transaction.
    ///
    /// # Errors
    /// Why nothing of it stays.
    pub(super) fn run(&self, signal: &Signal) -> Result<Finish, Fault> {
        let params = bind(&self.ready.sources, &self.payload).map_err(Fault::Bad)?;
        if signal.is_stopped() {
            return Err(Fault::Stopped);
        }
        let whose = self.whose();
        let mut conn = session::connect(&self.ready, &session::name(whose))?;
        let place = session::examine(&mut conn, &self.db, Some(whose))?;
        let backend = session::begin(&mut conn, &self.ready)?;
        let _end = EndWhenDropped(signal);
        if !signal.open(backend, conn.socket().ok()) {
            return Err(Fault::Stopped);
        }
        let outcome = conn
            .query(&self.ready.statement, &params)
            .map_err(|error| Fault::Database(conceal(error, &params)))
            .and_then(|answer| {
                conn.batch(AFTER)
                    .map_err(|error| after(conceal(error, &params)))?;
                self.show(answer.rows, place);
                match place {
                    Place::Same => self.settle(&mut conn, signal),
                    Place::Other => self.commit_fenced(&mut conn, signal),
                }
            });
        if outcome.is_err() && conn.is_alive() {
            // Before anybody is told, so that the next attempt meets no lock of this one.
            let _ = conn.batch(c"rollback");
        }
        outcome
    }

    fn whose(&self) -> Whose {
        Whose {
            job: self.job,
            fence: self.fence,
        }
    }

    fn show(&self, rows: i64, place: Place) {
        let stdout = format!("{rows} {}\n", if rows == 1 { "row" } else { "rows" });
        let bytes = i64::try_from(stdout.len()).unwrap_or(0);
        self.sink.output(Output {
            stdout: stdout.clone(),
            stdout_bytes: bytes,
            ..Output::default()
        });
        if place == Place::Other {
            return;
        }
        // The worker shows what runs; when this is over, it does not any more.
        let row = OutputRow {
            job: self.job,
            fence: self.fence,
            attempt: self.attempt,
            stdout,
            stderr: String::new(),
            stdout_bytes: bytes,
            stderr_bytes: 0,
            exit_code: None,
            signal: None,
            ran_ms: None,
        };
        let saved = self
            .db
            .tx(|conn| ops::save_output(conn, self.worker, std::slice::from_ref(&row)));
        if let Err(error) = saved {
            tracing::warn!(job = self.job, %error, "the output of a statement is not kept");
        }
    }

    /// Ends the job in the transaction of the statement, and commits.
    fn settle(&self, conn: &mut Connection, signal: &Signal) -> Result<Finish, Fault> {
        let token = self
            .db
            .read(|own| ops::sql_token(own, self.worker, self.job, self.fence))?;
        let hex: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        let said = conn.query(
            c"select belay.sql_settle($1, $2, $3, $4)",
            &[
                param(BIGINT, &self.job.to_string()),
                param(INTEGER, &self.fence.to_string()),
                param(BIGINT, &self.worker.to_string()),
                param(BYTEA, &format!("\\x{hex}")),
            ],
        )?;
        let word = said
            .first
            .as_deref()
            .and_then(|row| row.first()?.as_deref());
        match word {
            Some("completed") => {}
            Some("cancelling") => {
                conn.batch(c"rollback")?;
                return self.give_in();
            }
            _ => return Err(Fault::NotOurs),
        }
        signal.close();
        match conn.batch(c"commit") {
            Ok(answer) if answer.tag == "COMMIT" => Ok(Finish::Settled(JobState::Completed)),
            Ok(answer) => Err(rolled_back(&answer.tag)),
            Err(error) if error.alive => Err(error.into()),
            // The server may have committed before the connection was lost.
            Err(error) => self.ask(signal, error),
        }
    }

    /// Commits if the job is still this attempt's. Between the question and the commit a cancel may be accepted.
    fn commit_fenced(&self, conn: &mut Connection, signal: &Signal) -> Result<Finish, Fault> {
        let transaction = conn
            .query(c"select pg_catalog.pg_current_xact_id_if_assigned()", &[])?
            .first
            .and_then(|row| row.into_iter().next().flatten());
        let standing = self
            .db
            .read(|own| ops::sql_standing(own, self.worker, self.job, self.fence))?;
        match standing {
            AttemptStanding::Holds(JobState::Running) => {}
            AttemptStanding::Holds(JobState::Cancelling) => {
                conn.batch(c"rollback")?;
                return self.give_in();
            }
            _ => return Err(Fault::NotOurs),
        }
        signal.close();
        match conn.batch(c"commit") {
            Ok(answer) if answer.tag == "COMMIT" => Ok(Finish::Completed),
            Ok(answer) => Err(rolled_back(&answer.tag)),
            Err(error) if error.alive => Err(error.into()),
            Err(error) => match transaction {
                // It had changed nothing.
                None => Err(error.into()),
                Some(id) => self.ask_elsewhere(signal, &id, error),
            },
        }
    }

    /// Reports a statement that was rolled back because its job was cancelled in the meantime.
    fn give_in(&self) -> Result<Finish, Fault> {
        let report = Report {
            id: self.job,
            fence: self.fence,
            verdict: Verdict::Stopped {
                rung: Rung::Cooperative,
                cause: "cancelled".into(),
            },
        };
        let settled = self
            .db
            .tx(|own| ops::settle(own, self.worker, std::slice::from_ref(&report)))?;
        match settled.first() {
            Some(Settled::Now(state)) => Ok(Finish::Settled(*state)),
            _ => Err(Fault::NotOurs),
        }
    }

    /// Asks Belay's database what became of a commit in it. The lock that the question waits for is the one that the transaction holds
    /// for as long as it is not over. Whoever gets no answer may report a failure all the same: it is refused when the job has ended.
    fn ask(&self, signal: &Signal, lost: PgError) -> Result<Finish, Fault> {
        let standing = persist(signal, || {
            self.db
                .tx(|own| ops::sql_outcome(own, self.worker, self.job, self.fence))
                .ok()
        });
        match standing {
            Some(AttemptStanding::Ended(state)) => Ok(Finish::Settled(state)),
            Some(AttemptStanding::Holds(JobState::Cancelling)) => self.give_in(),
            Some(AttemptStanding::Lost) => Err(Fault::NotOurs),
            Some(AttemptStanding::Holds(_)) | None => Err(lost.into()),
        }
    }

    /// Asks another database what became of a commit in it.
    fn ask_elsewhere(&self, signal: &Signal, id: &str, lost: PgError) -> Result<Finish, Fault> {
        let committed = persist(signal, || {
            let mut conn = session::second(&self.ready, self.whose()).ok()?;
            let answer = conn
                .query(c"select pg_xact_status($1::xid8)", &[param(TEXT, id)])
                .ok()?;
            match answer.first?.into_iter().next().flatten()?.as_str() {
                "committed" => Some(true),
                "aborted" => Some(false),
                _ => None,
            }
        });
        match committed {
            Some(true) => Ok(Finish::Completed),
            Some(false) => Err(lost.into()),
            None => Err(Fault::Unknown),
        }
    }
}

/// Why a statement that was done is not committed.
fn after(error: PgError) -> Fault {
    // There is no such savepoint, or no transaction.
    if matches!(error.sqlstate.as_deref(), Some("3B001" | "25P01")) {
        return Fault::Bad(
            "the statement ended the transaction that it was run in; what it did before that may stay".into(),
        );
    }
    error.into()
}

fn rolled_back(tag: &str) -> Fault {
    Fault::Bad(format!(
        "the server answered {tag:?} instead of committing, so nothing took effect"
    ))
}

/// Asks until there is an answer, but not for ever.
fn persist<T>(signal: &Signal, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        let patience = if signal.is_stopped() {
            ASK_STOPPED
        } else {
            ASK
        };
        if began.elapsed() >= patience {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Connects once, to find out at the start of the worker what would be found out by every attempt.
pub(super) fn inspect(ready: &Ready, db: &Db) -> Result<Place, Fault> {
    let mut conn = session::connect(ready, "belay sql check")?;
    session::examine(&mut conn, db, None)
}
