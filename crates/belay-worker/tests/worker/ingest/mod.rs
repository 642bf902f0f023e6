//! The kind `ingest`: uploaded CSV is loaded whole or not at all.

mod age;
mod files;
mod records;
mod stops;
mod tables;

use belay_core::JobState;
use belay_core::model::Job;
use belay_core::ops::{self, Begun, NewJob, Uploaded};
use belay_worker::executors::ingest::{IngestObject, IngestObjects};
use belay_worker::{Worker, WorkerConfig, database_kinds};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};

use crate::support::{Bench, actor, config, end};

/// `contacts` with an integer key, `places` with a key of two columns, `wide` with a key of three.
pub(super) fn objects() -> IngestObjects {
    let list = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let object = |table: &str, key: &[&str], columns: &[&str]| {
        IngestObject::new(table, list(key), list(columns)).unwrap()
    };
    [
        (
            "contacts",
            object(
                "public.contacts",
                &["id"],
                &["id", "name", "born", "score", "short"],
            ),
        ),
        (
            "places",
            object(
                "public.Big \"Places\"",
                &["country", "Town"],
                &["Town", "country", "size"],
            ),
        ),
        (
            "wide",
            object("public.wide", &["a", "b", "c"], &["a", "b", "c"]),
        ),
        ("nowhere", object("public.nowhere", &["id"], &["id"])),
        ("no_index", object("public.no_index", &["id"], &["id"])),
        (
            "no_column",
            object("public.contacts", &["id"], &["id", "absent"]),
        ),
        ("late", object("public.late", &["id"], &["id", "parent"])),
    ]
    .into_iter()
    .map(|(name, object)| (name.to_owned(), object))
    .collect()
}

const TABLES: &str = "
    create table public.contacts (id integer primary key, name text default 'nobody', born date, score numeric(5, 1), short varchar(3));
    create table public.\"Big \"\"Places\"\"\" (\"Town\" text, country text, size integer, unique (country, \"Town\"));
    create table public.wide (a integer, b integer, c integer, primary key (a, b, c));
    create table public.no_index (id integer);
    create table public.late (id integer primary key, parent integer references public.late deferrable initially deferred);
";

impl Bench {
    /// A database with the tables of the objects.
    pub(super) fn with_tables() -> Self {
        let bench = Self::new();
        bench.sql(TABLES);
        bench
    }

    pub(super) fn sql(&self, text: &str) {
        self.test.conn().batch_execute(text).unwrap();
    }

    /// Rows as texts, one per line.
    pub(super) fn rows(&self, query: &str) -> String {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Nullable<Text>)]
            text: Option<String>,
        }
        let sql = format!("select string_agg(t::text, E'\\n') as text from ({query}) t");
        let row: Row = diesel::sql_query(sql)
            .get_result(&mut self.test.conn())
            .unwrap();
        row.text.unwrap_or_default()
    }

    pub(super) fn ingest_worker(&self) -> Worker {
        self.start(self.ingest_config())
    }

    pub(super) fn ingest_config(&self) -> WorkerConfig {
        let mut config = config();
        let mut kinds = database_kinds(&self.db, objects());
        for kind in &mut kinds {
            kind.spec.backoff = belay_worker::Backoff::fixed(std::time::Duration::ZERO);
        }
        config.kinds.extend(kinds);
        config
    }

    /// An open job.
    pub(super) fn open(&self, object: &str, operation: &str) -> i64 {
        let job = NewJob {
            payload: format!("{{\"object\": \"{object}\", \"operation\": \"{operation}\"}}"),
            ..NewJob::new("ingest")
        };
        self.db
            .tx(|conn| ops::enqueue(conn, 1, &job, None, true, &actor()))
            .unwrap()
            .id
    }

    /// Uploads a file in these chunks.
    pub(super) fn upload(&self, job: i64, chunks: &[&[u8]]) {
        let begun = self
            .db
            .tx(|conn| ops::begin_upload(conn, None, job))
            .unwrap();
        let Begun::Upload(file) = begun else {
            panic!("{begun:?}");
        };
        let mut bytes = 0;
        for (number, chunk) in (1..).zip(chunks) {
            let kept = self.db.read(|c| ops::append_chunk(c, file, number, chunk));
            assert!(kept.unwrap());
            bytes += chunk.len() as i64;
        }
        let uploaded = self
            .db
            .tx(|conn| ops::finish_upload(conn, None, job, file, bytes))
            .unwrap();
        assert!(matches!(uploaded, Uploaded::File(_)), "{uploaded:?}");
    }

    pub(super) fn close(&self, job: i64) {
        self.db
            .tx(|conn| ops::close(conn, None, job, &actor()))
            .unwrap();
    }

    /// A closed job with these files.
    pub(super) fn closed(&self, object: &str, operation: &str, files: &[&str]) -> i64 {
        let job = self.open(object, operation);
        for file in files {
            self.upload(job, &[file.as_bytes()]);
        }
        self.close(job);
        job
    }

    /// Loads these files, which must work.
    #[track_caller]
    pub(super) fn load(&self, object: &str, operation: &str, files: &[&str]) -> Job {
        let worker = self.ingest_worker();
        let id = self.closed(object, operation, files);
        let job = self.until(id, JobState::Completed);
        end(&worker);
        let left = format!("select count(*) as n from belay.job_upload where job = {id}");
        assert_eq!(self.number(&left), 0, "loaded data is not needed any more");
        job
    }

    /// Loads these files, which must fail for good, and answers why.
    #[track_caller]
    pub(super) fn fail(&self, object: &str, operation: &str, files: &[&str]) -> String {
        let worker = self.ingest_worker();
        let id = self.closed(object, operation, files);
        let job = self.until(id, JobState::Failed);
        end(&worker);
        assert_eq!(job.attempt, 1, "another attempt would not help");
        job.last_error.unwrap()
    }

    /// Rows of everything that is kept of uploads.
    pub(super) fn stored(&self) -> i64 {
        self.number(
            "select (select count(*) from belay.job_upload) + (select count(*) from belay.job_file) + (select count(*) from belay.upload) as n",
        )
    }
}
