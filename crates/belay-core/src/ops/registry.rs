//! The kinds of jobs a node can run, made known to everybody who enqueues. Locks no job.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, SmallInt, Text};

use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::stmt::stmt;

/// A kind as a node's configuration describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindSpec {
    /// 1 to 100 letters, digits and `._:-`.
    pub name: String,
    /// Name of the executor.
    pub executor: String,
    /// Queue of jobs that name none.
    pub queue: String,
    /// Priority of jobs that name none, 0 to 9.
    pub priority: i16,
    /// Attempts of jobs that name none, 1 to 1000.
    pub max_attempts: i16,
    /// Seconds an attempt may take when the job does not say, up to a year.
    pub timeout_s: Option<i32>,
    /// Whether running jobs can be held still.
    pub can_suspend: bool,
    /// How long a running job that is told to stop may take, up to 7 days. `None`: it stops at once.
    pub grace: Option<Duration>,
    /// How long a failed attempt waits for the next.
    pub backoff: Backoff,
    /// Seconds that a job may take from its first start, all attempts and the waits between them together, when the job
    /// does not say; up to a year.
    pub job_timeout_s: Option<i32>,
}

impl KindSpec {
    /// A kind in the queue `default`, priority 5, with 5 attempts, without timeouts and with the default backoff.
    pub fn new(name: impl Into<String>, executor: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            executor: executor.into(),
            queue: "default".into(),
            priority: 5,
            max_attempts: 5,
            timeout_s: None,
            can_suspend: false,
            grace: None,
            backoff: Backoff::default(),
            job_timeout_s: None,
        }
    }
}

/// Writes kinds; `$conflict` says what becomes of those that are known.
macro_rules! kinds_into {
    ($name:literal, $conflict:literal) => {
        concat!(
            "-- ", $name, "
         insert into belay.kind as k (name, executor, queue, priority, max_attempts, timeout_s, can_suspend, grace_ms, backoff, job_timeout_s)
         select name, executor, queue, priority, max_attempts, timeout_s, can_suspend, grace_ms, backoff::jsonb, job_timeout_s
         from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
           x (name, executor, queue, priority, max_attempts, timeout_s, can_suspend, grace_ms, backoff, job_timeout_s)
         order by 1
         on conflict (name) do ", $conflict
        )
    };
}

/// Registers kinds, or renews what is known of them. Written in name order, so that nodes that start at once do not
/// deadlock. Waits for no enqueue.
///
/// # Errors
/// [`crate::Error::Invalid`] for a value out of range.
pub fn register_kinds(conn: &mut PgConnection, kinds: &[KindSpec]) -> Result<()> {
    write(
        conn,
        kinds,
        kinds_into!(
            "register_kinds",
            "update set executor = excluded.executor, queue = excluded.queue, priority = excluded.priority,
           max_attempts = excluded.max_attempts, timeout_s = excluded.timeout_s, can_suspend = excluded.can_suspend, grace_ms = excluded.grace_ms,
           backoff = excluded.backoff, job_timeout_s = excluded.job_timeout_s, seen_at = now()"
        ),
    )
}

/// Registers kinds that are new and leaves those that are known as they are. In name order.
///
/// # Errors
/// [`crate::Error::Invalid`] for a value out of range.
pub(super) fn add_kinds(conn: &mut PgConnection, kinds: &[KindSpec]) -> Result<()> {
    write(conn, kinds, kinds_into!("add_kinds", "nothing"))
}

fn write(conn: &mut PgConnection, kinds: &[KindSpec], sql: &'static str) -> Result<()> {
    for kind in kinds {
        for (field, text) in [
            ("kind", &kind.name),
            ("executor", &kind.executor),
            ("queue", &kind.queue),
        ] {
            if text.contains('\0') {
                return Err(Error::invalid(
                    field,
                    format!("the {field} of a kind holds the character NUL"),
                ));
            }
        }
    }
    let backoffs = kinds
        .iter()
        .map(|kind| serde_json::to_string(&kind.backoff))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::invalid("backoff", error.to_string()))?;
    stmt::<()>(sql)
        .bind::<Array<Text>, _>(kinds.iter().map(|k| k.name.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(
            kinds
                .iter()
                .map(|k| k.executor.as_str())
                .collect::<Vec<_>>(),
        )
        .bind::<Array<Text>, _>(kinds.iter().map(|k| k.queue.as_str()).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(kinds.iter().map(|k| k.priority).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(kinds.iter().map(|k| k.max_attempts).collect::<Vec<_>>())
        .bind::<Array<Nullable<Integer>>, _>(kinds.iter().map(|k| k.timeout_s).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(kinds.iter().map(|k| k.can_suspend).collect::<Vec<_>>())
        .bind::<Array<Nullable<Integer>>, _>(
            kinds
                .iter()
                .map(|k| k.grace.map(millis))
                .collect::<Vec<_>>(),
        )
        .bind::<Array<Text>, _>(backoffs)
        .bind::<Array<Nullable<Integer>>, _>(
            kinds.iter().map(|k| k.job_timeout_s).collect::<Vec<_>>(),
        )
        .execute(conn)?;
    Ok(())
}

fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

/// Takes note of the usual lines that exist by now, which makes later enqueues of these kinds cheaper. Answers how many were new.
/// Kinds that somebody else is writing are left for the next time.
///
/// # Errors
/// Those of the database.
pub fn note_lines(conn: &mut PgConnection) -> Result<usize> {
    Ok(stmt::<()>(
        "-- note_lines
         with found as (
           select k.name from belay.kind k join belay.line l on l.queue = k.queue and l.kind = k.name and l.priority = k.priority
           where not k.has_line order by k.name for no key update of k skip locked)
         update belay.kind k set has_line = true from found where k.name = found.name",
    )
    .execute(conn)?)
}
