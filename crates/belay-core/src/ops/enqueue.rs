//! Enqueue: makes jobs. Takes no lock on any existing job; a unique or an idempotency key makes it wait for another
//! transaction that is using the same key.

use chrono::{DateTime, Datelike, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz};

use super::Actor;
use crate::error::{Error, Result};
use crate::json;
use crate::stmt::stmt;

/// Most jobs in one [`enqueue_many`].
pub const MAX_ENQUEUE: usize = 10_000;

/// A job to be made. Whatever is `None` comes from the kind's registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// What the job is; must be registered.
    pub kind: String,
    /// JSON text, at most 1 MiB.
    pub payload: String,
    /// The queue, 1 to 100 letters, digits and `._:-`.
    pub queue: Option<String>,
    /// From 0 (first) to 9 (last).
    pub priority: Option<i16>,
    /// Not before this time. `None` or a time in the past: now.
    pub run_at: Option<DateTime<Utc>>,
    /// Attempts in all, from 1 to 1000.
    pub max_attempts: Option<i16>,
    /// Seconds one attempt may take, from 1 to a year.
    pub timeout_s: Option<i32>,
    /// Seconds the whole job may take from its first start, all attempts and the waits between them together; from 1 to a year.
    pub job_timeout_s: Option<i32>,
    /// At most one unfinished job of the tenant has this key; 1 to 255 characters.
    pub unique_key: Option<String>,
}

impl NewJob {
    /// A job of a kind with an empty payload and the kind's defaults.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            payload: "{}".into(),
            queue: None,
            priority: None,
            run_at: None,
            max_attempts: None,
            timeout_s: None,
            job_timeout_s: None,
            unique_key: None,
        }
    }

    /// Checks what can be checked without the database.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the member and the value.
    pub fn check(&self) -> Result<()> {
        json::check_payload(&self.payload)
            .map_err(|e| Error::invalid("payload", format!("payload: {e}")))?;
        for (field, text) in [
            ("kind", Some(&self.kind)),
            ("queue", self.queue.as_ref()),
            ("unique_key", self.unique_key.as_ref()),
        ] {
            if text.is_some_and(|t| t.contains('\0')) {
                return Err(Error::invalid(
                    field,
                    format!("{field} holds the character NUL"),
                ));
            }
        }
        if let Some(length) = self
            .unique_key
            .as_ref()
            .map(|k| k.chars().count())
            .filter(|n| !(1..=255).contains(n))
        {
            return Err(Error::invalid(
                "unique_key",
                format!("unique_key has {length} characters, it must have 1 to 255"),
            ));
        }
        // Everybody who reads jobs must be able to hold the time.
        if let Some(at) = self.run_at.filter(|at| !(1..=9999).contains(&at.year())) {
            return Err(Error::invalid(
                "run_at",
                format!("run_at is {at}, it must lie between the years 1 and 9999"),
            ));
        }
        if let Some(p) = self.priority.filter(|p| !(0..=9).contains(p)) {
            return Err(Error::invalid(
                "priority",
                format!("priority is {p}, it must be from 0 (first) to 9 (last)"),
            ));
        }
        if let Some(n) = self.max_attempts.filter(|n| !(1..=1000).contains(n)) {
            return Err(Error::invalid(
                "max_attempts",
                format!("max_attempts is {n}, it must be from 1 to 1000"),
            ));
        }
        for (field, time) in [
            ("timeout_s", self.timeout_s),
            ("job_timeout_s", self.job_timeout_s),
        ] {
            if let Some(t) = time.filter(|t| !(1..=31_536_000).contains(t)) {
                return Err(Error::invalid(
                    field,
                    format!("{field} is {t}, it must be from 1 to 31536000 seconds (a year)"),
                ));
            }
        }
        Ok(())
    }
}

/// The tenant `default`, which exists from the beginning. The database lets nobody delete a tenant.
pub const DEFAULT_TENANT: i32 = 1;

/// A job that was made, or found to exist already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enqueued {
    /// Its number.
    pub id: i64,
    /// Whether it existed already, under the same unique or idempotency key.
    pub existed: bool,
}

/// Enqueues one job. `open` makes it wait for uploads and [`super::close`].
///
/// # Errors
/// [`Error::Invalid`] for a wrong member, an unknown kind or tenant; [`Error::Conflict`] when the idempotency key was used
/// for another request within 24 hours.
pub fn enqueue(
    conn: &mut PgConnection,
    tenant: i32,
    job: &NewJob,
    idempotency_key: Option<&str>,
    open: bool,
    actor: &Actor,
) -> Result<Enqueued> {
    job.check()?;
    if idempotency_key.is_some_and(|k| k.contains('\0')) {
        return Err(Error::invalid(
            "Idempotency-Key",
            "the idempotency key holds the character NUL",
        ));
    }
    let ordinary = job.unique_key.is_none() && job.run_at.is_none() && job.job_timeout_s.is_none();
    if ordinary && idempotency_key.is_none() && !open {
        // The ordinary job, in one plain statement: what it needs exists already. Nothing comes back when something is missing,
        // and then the function below finds out what, registers a new line, or says what is wrong.
        if let Some(id) = enqueue_ordinary(conn, tenant, job, actor)? {
            return Ok(Enqueued { id, existed: false });
        }
    }
    let (id, existed) = stmt::<(BigInt, Bool)>(
        "-- enqueue
         select id, existed from belay.op_enqueue($1, $2, $3::text::jsonb, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind::<Integer, _>(tenant)
    .bind::<Text, _>(&job.kind)
    .bind::<Text, _>(&job.payload)
    .bind::<Nullable<Text>, _>(&job.queue)
    .bind::<Nullable<SmallInt>, _>(job.priority)
    .bind::<Nullable<Timestamptz>, _>(job.run_at)
    .bind::<Nullable<SmallInt>, _>(job.max_attempts)
    .bind::<Nullable<Integer>, _>(job.timeout_s)
    .bind::<Nullable<Integer>, _>(job.job_timeout_s)
    .bind::<Nullable<Text>, _>(&job.unique_key)
    .bind::<Nullable<Text>, _>(idempotency_key)
    .bind::<Bool, _>(open)
    .bind::<Text, _>(&actor.name)
    .bind::<Text, _>(actor.via.as_str())
    .get_result::<(i64, bool)>(conn)?;
    Ok(Enqueued { id, existed })
}

/// The statement of an ordinary job. Every relation that it need not look at is a twentieth of its cost, so what is certain is not
/// asked: that the usual line of a kind exists, when its row says so, and that the first tenant does.
///
/// `belay.wake` notifies once in 5 ms at most, if somebody sleeps, and looks at its clock itself; looking here as well spares most jobs
/// the call, which costs more than a tenth of the whole statement.
macro_rules! enqueue_into {
    ($name:literal, USUAL, $tenant:tt) => {
        enqueue_into!(@ $name, "cross join lateral (select k.queue, k.priority where k.has_line) l", $tenant)
    };
    ($name:literal, LINE, $tenant:tt) => {
        enqueue_into!(@ $name, "join belay.line l on l.queue = coalesce($4, k.queue) and l.kind = k.name and l.priority = coalesce($5, k.priority)", $tenant)
    };
    (@ $name:literal, $line:literal, TENANT) => {
        enqueue_into!(@ $name, $line, "exists (select from belay.tenant t where t.id = $1)")
    };
    (@ $name:literal, $line:literal, $tenant:literal) => {
        concat!(
            "-- enqueue_", $name, "
         insert into belay.job (ticket, run_at, tenant, state, timeout_s, job_timeout_s, priority, max_attempts, queue, kind, created_by, created_via, payload)
         select nextval('belay.ticket'), now(), $1, 'queued', coalesce($7, k.timeout_s), k.job_timeout_s, l.priority, coalesce($6, k.max_attempts), l.queue, k.name,
           $8, $9, $3::text::jsonb
         from belay.kind k ", $line, "
         where k.name = $2 and ", $tenant, "
         returning id, case when ((date_part('epoch', clock_timestamp()) * 1000)::bigint - coalesce(pg_sequence_last_value('belay.wake_clock'), 0)) / 5 <> 0
           then belay.wake()::text end"
        )
    };
}

fn enqueue_ordinary(
    conn: &mut PgConnection,
    tenant: i32,
    job: &NewJob,
    actor: &Actor,
) -> Result<Option<i64>> {
    let usual = job.queue.is_none() && job.priority.is_none();
    let made = stmt::<(BigInt, Nullable<Text>)>(match (usual, tenant == DEFAULT_TENANT) {
        (true, true) => enqueue_into!("usual", USUAL, "true"),
        (true, false) => enqueue_into!("usual_tenant", USUAL, TENANT),
        (false, true) => enqueue_into!("line", LINE, "true"),
        (false, false) => enqueue_into!("line_tenant", LINE, TENANT),
    })
    .bind::<Integer, _>(tenant)
    .bind::<Text, _>(&job.kind)
    .bind::<Text, _>(&job.payload)
    .bind::<Nullable<Text>, _>(&job.queue)
    .bind::<Nullable<SmallInt>, _>(job.priority)
    .bind::<Nullable<SmallInt>, _>(job.max_attempts)
    .bind::<Nullable<Integer>, _>(job.timeout_s)
    .bind::<Text, _>(&actor.name)
    .bind::<Text, _>(actor.via.as_str())
    .get_result::<(i64, Option<String>)>(conn)
    .optional()?;
    Ok(made.map(|(id, _)| id))
}

/// Enqueues up to [`MAX_ENQUEUE`] jobs in one statement: all or none. Answers in request order.
///
/// # Errors
/// As [`enqueue`]; the message names the position, from 0, of the job that is wrong where that is known.
pub fn enqueue_many(
    conn: &mut PgConnection,
    tenant: i32,
    jobs: &[NewJob],
    actor: &Actor,
) -> Result<Vec<Enqueued>> {
    if jobs.len() > MAX_ENQUEUE {
        return Err(Error::invalid(
            "jobs",
            format!(
                "{} jobs at once, at most {MAX_ENQUEUE} are allowed",
                jobs.len()
            ),
        ));
    }
    for (i, job) in jobs.iter().enumerate() {
        job.check().map_err(|e| match e {
            Error::Invalid { field, message } => Error::Invalid {
                field,
                message: format!("jobs[{i}]: {message}"),
            },
            other => other,
        })?;
    }
    let rows = stmt::<(Integer, BigInt, Bool)>(
        "-- enqueue_many
         select ord, id, existed from belay.op_enqueue_many($1, $2, $3::text[]::jsonb[], $4, $5, $6, $7, $8, $9, $10, $11, $12) order by ord",
    )
    .bind::<Integer, _>(tenant)
    .bind::<Array<Text>, _>(jobs.iter().map(|j| &j.kind).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(jobs.iter().map(|j| &j.payload).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(jobs.iter().map(|j| j.queue.as_ref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<SmallInt>>, _>(jobs.iter().map(|j| j.priority).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(jobs.iter().map(|j| j.run_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<SmallInt>>, _>(jobs.iter().map(|j| j.max_attempts).collect::<Vec<_>>())
    .bind::<Array<Nullable<Integer>>, _>(jobs.iter().map(|j| j.timeout_s).collect::<Vec<_>>())
    .bind::<Array<Nullable<Integer>>, _>(jobs.iter().map(|j| j.job_timeout_s).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(jobs.iter().map(|j| j.unique_key.as_ref()).collect::<Vec<_>>())
    .bind::<Text, _>(&actor.name)
    .bind::<Text, _>(actor.via.as_str())
    .load::<(i32, i64, bool)>(conn)?;
    Ok(rows
        .into_iter()
        .map(|(_, id, existed)| Enqueued { id, existed })
        .collect())
}
