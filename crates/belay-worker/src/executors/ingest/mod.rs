//! Loads uploaded CSV into declared tables, or into the store of records.
//!
//! All files of a job are loaded in upload order in **one** transaction, which also reports the job as completed: it is loaded
//! exactly once or not at all. A cancel that comes first finds that transaction rolled back. The data is read chunk by chunk, copied
//! into a temporary table and brought to its place in batches, so memory stays bounded and a stop is seen soon; a statement that
//! takes long is cancelled.
//!
//! Loads of the same object are one after the other: two that meet in the same rows would only wait for each other. A load that
//! waits too long for another one, or for somebody else's locks, is taken back and tried again later, which costs no attempt. What
//! a frozen worker has left in the database is ended by the next attempt.
//!
//! - To **upsert**, the first record of each file names the columns, in any order. Columns that a file does not have are left as they
//!   are. To **delete**, there is no such record: a record is the key of the object, in the order of its declaration. For a key of one
//!   column, and for the store of records, a second field is ignored.
//! - An empty field is null. A key must not be empty. When a key stands twice, the last record counts.
//! - Types are checked by the database, in UTC. The first record that it does not take fails the job, with file and line.

mod batch;
mod csv;
mod fault;
mod load;
mod objects;
mod plan;
mod shape;
mod signal;
mod target;

use std::sync::Arc;
use std::time::Duration;

use belay_core::Db;
use belay_core::db::Role;
use diesel::RunQueryDsl;
use diesel::sql_types::Integer;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

pub use objects::{IngestObject, IngestObjects, ObjectError};

use self::fault::{Fault, is_held_up};
use self::load::Load;
use self::signal::Signal;
use crate::executors::{Attempt, Control, Executor, Finish, Rung, Running};

/// Loads at once in one worker; further ones wait. Each has a connection and a few tens of megabytes.
const AT_ONCE: usize = 4;
/// How long a load that is told to stop may take to see it by itself.
const BY_ITSELF: Duration = Duration::from_millis(200);
/// How often its statement is cancelled after that.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a load whose data was deleted waits to be told why.
const WHY: Duration = Duration::from_secs(10);

const STOPPED: Finish = Finish::Stopped {
    rung: Rung::Cooperative,
};
/// Somebody held rows, or the object, for longer than a statement waits.
const HELD_UP: Finish = Finish::Snoozed {
    delay: Duration::from_secs(10),
};

/// Loads what was uploaded for a job.
#[derive(Debug)]
pub struct Ingest {
    db: Db,
    objects: Arc<IngestObjects>,
    room: Arc<Semaphore>,
}

impl Ingest {
    /// An executor for these objects. Of the database only the place is used: a load has a connection of its own.
    #[must_use]
    pub fn new(db: &Db, objects: IngestObjects) -> Self {
        Self {
            db: db.clone(),
            objects: Arc::new(objects),
            room: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Executor for Ingest {
    fn run(&self, attempt: Attempt) -> Running {
        let (db, objects) = (self.db.clone(), Arc::clone(&self.objects));
        let room = Arc::clone(&self.room);
        Box::pin(async move {
            let mut control = attempt.control.clone();
            let _place = tokio::select! {
                biased;
                () = told_to_stop(&mut control) => return STOPPED,
                place = room.acquire_owned() => place,
            };
            let signal = Arc::new(Signal::default());
            // Whoever drops this future wants the load to end.
            let guard = StopWhenDropped(Arc::clone(&signal));
            let load = Load {
                job: attempt.job,
                fence: attempt.fence,
                attempt: attempt.attempt,
                worker: attempt.worker,
                tenant: attempt.tenant,
                payload: attempt.payload,
                sink: attempt.sink,
            };
            let work = {
                let (db, signal) = (db.clone(), Arc::clone(&signal));
                spawn_blocking(move || load.run(&db, &objects, &signal))
            };
            let outcome = watch_over(work, &mut control, &signal, &db).await;
            drop(guard);
            finish(outcome, &mut control).await
        })
    }
}

struct StopWhenDropped(Arc<Signal>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.stop();
    }
}

type Outcome = Result<belay_core::JobState, Fault>;

/// Waits for the load to end, and makes it end when it is told to stop.
async fn watch_over(
    mut work: JoinHandle<Outcome>,
    control: &mut watch::Receiver<Control>,
    signal: &Arc<Signal>,
    db: &Db,
) -> Result<Outcome, tokio::task::JoinError> {
    tokio::select! {
        ended = &mut work => return ended,
        () = told_to_stop(control) => signal.stop(),
    }
    let mut patience = BY_ITSELF;
    loop {
        if let Ok(ended) = timeout(patience, &mut work).await {
            return ended;
        }
        if signal.is_open() {
            let (db, signal) = (db.clone(), Arc::clone(signal));
            // It may fail, and is tried again.
            let _ = spawn_blocking(move || interrupt(&db, &signal)).await;
        }
        patience = AGAIN;
    }
}

fn interrupt(db: &Db, signal: &Signal) -> belay_core::Result<()> {
    let mut session = db.session(Role::Beat)?;
    let cancelled = signal.interrupt(|backend| {
        session.run(|conn| {
            diesel::sql_query("select pg_cancel_backend($1)")
                .bind::<Integer, _>(backend)
                .execute(conn)?;
            Ok(())
        })
    });
    cancelled.unwrap_or(Ok(()))
}

/// Ends when the attempt is told to stop, or when nobody is left who could tell it.
async fn told_to_stop(control: &mut watch::Receiver<Control>) {
    let _ = control
        .wait_for(|wanted| matches!(wanted, Control::Stop(_) | Control::Kill(_)))
        .await;
}

fn was_told(control: &watch::Receiver<Control>) -> bool {
    matches!(*control.borrow(), Control::Stop(_) | Control::Kill(_))
}

async fn finish(
    outcome: Result<Outcome, tokio::task::JoinError>,
    control: &mut watch::Receiver<Control>,
) -> Finish {
    let failed = |error: String, retry| Finish::Failed { error, retry };
    let fault = match outcome {
        Ok(Ok(state)) => return Finish::Settled(state),
        Ok(Err(fault)) => fault,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => return STOPPED,
        },
    };
    match fault {
        Fault::Stopped | Fault::NotSettled(_) => STOPPED,
        Fault::Bad(message) => failed(message, false),
        // Its statement was cancelled.
        Fault::Database(_) if was_told(control) => STOPPED,
        Fault::Database(error) if is_held_up(&error) => HELD_UP,
        Fault::Database(error) => failed(error.to_string(), error.is_transient()),
        Fault::DataGone => match timeout(WHY, told_to_stop(control)).await {
            Ok(()) => STOPPED,
            Err(_) => failed(
                "the uploaded data of this job is not there any more".into(),
                false,
            ),
        },
    }
}
