//! A whole load: one transaction on a connection of its own, from the first chunk to the report.

use std::sync::Arc;

use belay_core::db::Role;
use belay_core::model::UploadedFile;
use belay_core::ops::{self, ProgressRow, Report, Rung, Settled, Verdict};
use belay_core::{Db, Error, JobState, Session, query};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Text};
use serde::Deserialize;

use super::batch::Batch;
use super::csv::{Parser, Record};
use super::fault::{Fault, words_about_data};
use super::objects::IngestObjects;
use super::shape::Shape;
use super::signal::Signal;
use super::target::Target;
use crate::executors::{Progress, Sink};

/// The lock that loads of one object take in turn; `$1` names the object.
const TURN: &str = "hashtextextended('belay load ' || $1, 0)";
/// What the connection of a load is called while it loads; the job and the fence follow.
const LOAD: &str = "belay load";
/// Most bytes that the documents of one job may have: as many as its uploads.
const MOST_BYTES: u64 = 15_000_000_000;

/// What is loaded, and for whom.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) job: i64,
    pub(super) fence: i32,
    pub(super) attempt: i16,
    pub(super) worker: i64,
    pub(super) tenant: i32,
    pub(super) payload: String,
    pub(super) sink: Arc<dyn Sink>,
}

#[derive(Debug, Deserialize)]
struct Order {
    object: String,
    operation: Operation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Operation {
    Upsert,
    Delete,
}

impl Load {
    /// Loads everything, or nothing, and answers the state in which the job has been reported.
    ///
    /// # Errors
    /// Why nothing was loaded; the job has not been reported then.
    pub(super) fn run(
        &self,
        db: &Db,
        objects: &IngestObjects,
        signal: &Signal,
    ) -> Result<JobState, Fault> {
        let order: Order = serde_json::from_str(&self.payload).map_err(|e| {
            Fault::Bad(format!(
                "the payload is not what ingest expects ({e}): it must be an object such as {{\"object\": \"contacts\", \"operation\": \"upsert\"}}"
            ))
        })?;
        let mut session = db.session(Role::Load)?;
        session.run(|conn| end_older(conn, self.job, self.fence))?;
        let mut fault = None;
        let loaded = session.tx(|conn| {
            let outcome = signal
                .open(backend(conn)?)
                .and_then(|()| self.load(conn, &order, objects, signal));
            // From here on the connection may be somebody else's, behind a pooler.
            signal.close();
            outcome.map_err(|why| {
                fault = Some(why);
                Error::Busy("the load is rolled back".into())
            })
        });
        match (loaded, fault) {
            (Ok(()), _) => Ok(JobState::Completed),
            (Err(_), Some(Fault::NotSettled(Settled::Now(_)))) => self.give_in(&mut session),
            (Err(_), Some(fault)) => Err(fault),
            (Err(error), None) => Err(error.into()),
        }
    }

    fn load(
        &self,
        conn: &mut PgConnection,
        order: &Order,
        objects: &IngestObjects,
        signal: &Signal,
    ) -> Result<(), Fault> {
        let name = format!("{LOAD} {} {}", self.job, self.fence);
        // The number and the fence are digits.
        conn.batch_execute(&format!("set local application_name = '{name}'"))?;
        let upsert = order.operation == Operation::Upsert;
        let target = match objects.get(&order.object) {
            Some(object) => Target::table(conn, object, upsert)?,
            None => Target::Store {
                tenant: self.tenant,
                object: order.object.clone(),
                job: self.job,
            },
        };
        self.take_turn(conn, &target.name())?;
        let files = query::upload::files(conn, self.job)?;
        let mut walk = Walk {
            load: self,
            signal,
            target: &target,
            upsert,
            files: files.len(),
            seen: 0,
            done: 0,
            bytes: 0,
        };
        for file in &files {
            walk.file(conn, file)
                .map_err(|fault| fault.in_file(file.ordinal))?;
        }
        let (done, message) = (walk.done, format!("{} files loaded", files.len()));
        // What the tables check at the end of a transaction is checked while it can still be said of this job.
        if let Err(error) = conn.batch_execute("set constraints all immediate") {
            return Err(Fault::Bad(format!(
                "the rows do not fit together: {}",
                words_about_data(error)?
            )));
        }
        signal.settle()?;
        // The worker shows what runs; when this is over, it does not any more.
        let row = ProgressRow {
            job: self.job,
            fence: self.fence,
            attempt: self.attempt,
            done,
            total: Some(done),
            message: Some(message),
        };
        ops::save_progress(conn, self.worker, &[row])?;
        let settled = self.report(conn, Verdict::Completed)?;
        if settled != Settled::Now(JobState::Completed) {
            return Err(Fault::NotSettled(settled));
        }
        // It is where it belongs now.
        ops::delete_uploads(conn, &[self.job])?;
        Ok(())
    }

    /// Makes this transaction the only one that loads this object. Waits for another one as long as for any lock.
    fn take_turn(&self, conn: &mut PgConnection, name: &str) -> Result<(), Error> {
        #[derive(QueryableByName)]
        struct Turn {
            #[diesel(sql_type = Bool)]
            free: bool,
        }
        let turn: Turn =
            diesel::sql_query(format!("select pg_try_advisory_xact_lock({TURN}) as free"))
                .bind::<Text, _>(name)
                .get_result(conn)?;
        if turn.free {
            return Ok(());
        }
        self.sink.progress(Progress {
            done: 0,
            total: None,
            message: Some("waits for another load of the same object".into()),
        });
        diesel::sql_query(format!("select pg_advisory_xact_lock({TURN})"))
            .bind::<Text, _>(name)
            .execute(conn)?;
        Ok(())
    }

    /// Reports a load that is rolled back because its job was cancelled in the meantime.
    fn give_in(&self, session: &mut Session) -> Result<JobState, Fault> {
        let stopped = Verdict::Stopped {
            rung: Rung::Cooperative,
            cause: "cancelled".into(),
        };
        match session.tx(|conn| self.report(conn, stopped))? {
            Settled::Now(state) => Ok(state),
            other => Err(Fault::NotSettled(other)),
        }
    }

    fn report(&self, conn: &mut PgConnection, verdict: Verdict) -> Result<Settled, Error> {
        let report = Report {
            id: self.job,
            fence: self.fence,
            verdict,
        };
        let settled = ops::settle(conn, self.worker, &[report])?;
        Ok(settled.first().copied().unwrap_or(Settled::Stale))
    }
}

/// Ends earlier attempts at this job that are still at work in the database. They can commit nothing any more, but their daemon may
/// be frozen or cut off, and then they keep the rows that this attempt needs.
fn end_older(conn: &mut PgConnection, job: i64, fence: i32) -> Result<(), Error> {
    diesel::sql_query(format!(
        "select pg_terminate_backend(a.pid) from pg_stat_activity a
         where a.datname = current_database() and a.usename = current_user and a.pid <> pg_backend_pid()
           and substring(a.application_name from '^{LOAD} {job} ([0-9]+)$')::bigint < $1"
    ))
    .bind::<BigInt, _>(i64::from(fence))
    .execute(conn)?;
    Ok(())
}

fn backend(conn: &mut PgConnection) -> Result<i32, Error> {
    #[derive(QueryableByName)]
    struct Backend {
        #[diesel(sql_type = Integer)]
        pid: i32,
    }
    let backend: Backend = diesel::sql_query("select pg_backend_pid() as pid").get_result(conn)?;
    Ok(backend.pid)
}

/// The way through the files.
struct Walk<'a> {
    load: &'a Load,
    signal: &'a Signal,
    target: &'a Target<'a>,
    upsert: bool,
    files: usize,
    /// Rows read.
    seen: i64,
    /// Rows loaded.
    done: i64,
    /// Bytes of documents staged.
    bytes: u64,
}

impl Walk<'_> {
    fn file(&mut self, conn: &mut PgConnection, file: &UploadedFile) -> Result<(), Fault> {
        let mut parser = Parser::new();
        let mut rows = None;
        if !self.upsert {
            rows = Some(Rows::begin(conn, self.target.delete()?)?);
        }
        let mut received = 0;
        for number in 1.. {
            self.signal.check()?;
            let Some(chunk) = query::upload::chunk(conn, self.load.job, file.file, number)? else {
                break;
            };
            received += i64::try_from(chunk.len()).unwrap_or(i64::MAX);
            parser.feed(&chunk, &mut |record| {
                self.record(conn, file, &mut rows, record)
            })?;
        }
        if received < file.bytes {
            return Err(Fault::DataGone);
        }
        parser.end(&mut |record| self.record(conn, file, &mut rows, record))?;
        match rows {
            Some(mut rows) => self.flush(conn, file, &mut rows),
            None => Err(Fault::in_line(
                1,
                "there is no record that names the columns",
            )),
        }
    }

    fn record(
        &mut self,
        conn: &mut PgConnection,
        file: &UploadedFile,
        rows: &mut Option<Rows>,
        record: Record<'_>,
    ) -> Result<(), Fault> {
        let Some(rows) = rows else {
            *rows = Some(Rows::begin(conn, self.target.upsert(record)?)?);
            return Ok(());
        };
        self.bytes += rows.shape.stage(record, &mut rows.batch)?;
        if self.bytes > MOST_BYTES {
            return Err(Fault::in_line(
                record.line,
                format!(
                    "the documents of this job have more than {MOST_BYTES} bytes; declare a table for this object"
                ),
            ));
        }
        self.seen += 1;
        if rows.batch.is_full() {
            self.flush(conn, file, rows)?;
        }
        Ok(())
    }

    /// Loads what is staged.
    fn flush(
        &mut self,
        conn: &mut PgConnection,
        file: &UploadedFile,
        rows: &mut Rows,
    ) -> Result<(), Fault> {
        let count = rows.batch.rows();
        if count == 0 {
            return Ok(());
        }
        self.signal.check()?;
        if let Err(error) = rows.batch.copy(conn) {
            let (first, last) = (rows.batch.line(1), rows.batch.line(count));
            return Err(Fault::Bad(format!(
                "lines {first} to {last}: {}",
                words_about_data(error)?
            )));
        }
        self.signal.check()?;
        rows.shape.plan.load(conn, &rows.batch)?;
        rows.batch.clear(conn)?;
        self.done += i64::from(count);
        self.show(format!("file {} of {}", file.ordinal, self.files));
        Ok(())
    }

    fn show(&self, message: String) {
        self.load.sink.progress(Progress {
            done: self.done,
            total: Some(self.seen),
            message: Some(message),
        });
    }
}

/// The rows of a file, and how they are loaded.
struct Rows {
    shape: Shape,
    batch: Batch,
}

impl Rows {
    fn begin(conn: &mut PgConnection, shape: Shape) -> Result<Self, Fault> {
        let batch = Batch::begin(conn, shape.staged)?;
        Ok(Self { shape, batch })
    }
}
