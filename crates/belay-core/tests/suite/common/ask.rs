//! Looks at the database.

use belay_core::id::JobRef;
use belay_core::model::Job;
use belay_core::{JobState, query};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as Diesel};
use diesel::sql_types::{BigInt, Jsonb, Text};
use serde_json::Value;

/// The one number a query answers.
#[track_caller]
pub(crate) fn count(conn: &mut PgConnection, query: &str) -> i64 {
    sql::<BigInt>(query).get_result(conn).unwrap()
}

/// The numbers a query answers.
#[track_caller]
pub(crate) fn counts(conn: &mut PgConnection, query: &str) -> Vec<i64> {
    sql::<BigInt>(query).load(conn).unwrap()
}

/// The one text a query answers.
#[track_caller]
pub(crate) fn text(conn: &mut PgConnection, query: &str) -> String {
    sql::<Text>(query).get_result(conn).unwrap()
}

/// The texts a query answers.
#[track_caller]
pub(crate) fn texts(conn: &mut PgConnection, query: &str) -> Vec<String> {
    sql::<Text>(query).load(conn).unwrap()
}

/// Runs statements that must succeed.
#[track_caller]
pub(crate) fn run(conn: &mut PgConnection, statements: &str) {
    conn.batch_execute(statements)
        .unwrap_or_else(|error| panic!("{statements}: {error}"));
}

/// What the database said when it refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: String,
    pub(crate) constraint: String,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn is(&self, kind: &DatabaseErrorKind) -> bool {
        self.kind == format!("{kind:?}")
    }
}

/// The refusal in a result that must be one.
#[track_caller]
pub(crate) fn refusal<T>(result: QueryResult<T>) -> Refusal {
    match result {
        Ok(_) => panic!("the database accepted what it must refuse"),
        Err(Diesel::DatabaseError(kind, info)) => Refusal {
            kind: format!("{kind:?}"),
            constraint: info.constraint_name().unwrap_or_default().to_owned(),
            message: info.message().to_owned(),
        },
        Err(error) => panic!("not an answer of the database: {error}"),
    }
}

/// Runs statements that the database must refuse.
#[track_caller]
pub(crate) fn refused(conn: &mut PgConnection, statements: &str) -> Refusal {
    match conn.batch_execute(statements) {
        Ok(()) => panic!("the database accepted {statements}"),
        refused => refusal(refused),
    }
}

/// A job by its number.
#[track_caller]
pub(crate) fn job(conn: &mut PgConnection, id: i64) -> Job {
    query::get(conn, None, &JobRef::number(id)).unwrap()
}

/// State of a job, finished or not.
#[track_caller]
pub(crate) fn state(conn: &mut PgConnection, id: i64) -> JobState {
    job(conn, id).state
}

/// Everything that is stored about a job.
#[track_caller]
pub(crate) fn facts(conn: &mut PgConnection, id: i64) -> Value {
    let of = |table: &str, column: &str| {
        format!(
            "'{table}', (select coalesce(jsonb_agg(to_jsonb(x) order by to_jsonb(x)::text), '[]') from belay.{table} x where x.{column} = {id})"
        )
    };
    let query = format!(
        "select jsonb_build_object({}, {}, {}, {}, {}, {}, {}, {})",
        of("job", "id"),
        of("job_done", "id"),
        of("job_event", "job"),
        of("job_upload", "job"),
        of("job_file", "job"),
        of("upload", "job"),
        of("job_output", "job"),
        of("job_progress", "job"),
    );
    sql::<Jsonb>(&query).get_result(conn).unwrap()
}

/// The record of a job, a line per entry: `event was>state actor via reason detail`, with `-` for what is not there.
#[track_caller]
pub(crate) fn events(conn: &mut PgConnection, id: i64) -> Vec<String> {
    texts(
        conn,
        &format!(
            "select concat_ws(' ', event, coalesce(was::text, '-') || '>' || coalesce(state::text, '-'), actor, via, coalesce(reason, '-'),
               coalesce(nullif(detail - 'claimed_at', '{{}}')::text, '-')) from belay.job_event where job = {id} order by id"
        ),
    )
}
