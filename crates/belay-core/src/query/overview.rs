//! What is there: queues and how full they are, kinds, workers, tenants. Counting stops at a cap, so that it costs the same
//! whatever the size of the tables.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Nullable, Text};

use crate::error::{Error, Result};
use crate::model::{KindRow, QueueRow, TenantRow, WorkerRow};

/// Unfinished jobs by queue and state.
pub type JobCounts = Vec<QueueRow>;

/// Names of all queues.
///
/// # Errors
/// Those of the database.
pub fn queues(conn: &mut PgConnection) -> Result<Vec<String>> {
    Ok(
        crate::stmt::stmt::<Text>("-- queues\n select name from belay.queue order by name")
            .load(conn)?,
    )
}

/// Counts unfinished jobs by queue and state. Looks at no more than `cap` entries per way of waiting (each line, and
/// everything that is scheduled or open); numbers above are marked as capped.
///
/// # Errors
/// Those of the database.
pub fn queue_counts(conn: &mut PgConnection, cap: i64) -> Result<JobCounts> {
    Ok(diesel::sql_query(
        "-- queue_counts
         with lines as (select l.queue, l.kind, l.priority, greatest(1000, $1 / greatest(count(*) over (), 1)) as cap from belay.line l),
         in_line as (
           select l.queue, s.state, s.n, sum(s.n) over (partition by l.queue, l.kind, l.priority) >= l.cap as capped
           from lines l cross join lateral (
             select x.state, count(*) as n from (
               select j.state from belay.job j where j.queue = l.queue and j.kind = l.kind and j.priority = l.priority and j.ticket is not null
               order by j.ticket limit l.cap) x
             group by x.state) s),
         waiting as (
           select x.queue, x.state, count(*) as n, (sum(count(*)) over ()) >= $1 as capped
           from (select j.queue, j.state from belay.job j where j.ticket is null and not j.upload limit $1) x group by 1, 2),
         taking as (select x.queue, x.state, count(*) as n, false as capped from (
           select j.queue, j.state from belay.job j where j.upload limit $1) x group by 1, 2)
         select queue, state, sum(n)::bigint as jobs, bool_or(capped) as capped
         from (select * from in_line union all select * from waiting union all select * from taking) u
         group by 1, 2 order by 1, 2",
    )
    .bind::<BigInt, _>(cap)
    .load(conn)?)
}

/// All registered kinds.
///
/// # Errors
/// Those of the database.
pub fn kinds(conn: &mut PgConnection) -> Result<Vec<KindRow>> {
    Ok(diesel::sql_query(
        "-- kinds\n select name, executor, queue, priority, max_attempts, timeout_s, can_suspend, grace_ms, job_timeout_s from belay.kind order by name",
    )
    .load(conn)?)
}

/// Whether a kind of that name is registered.
///
/// # Errors
/// Those of the database.
pub fn is_kind(conn: &mut PgConnection, name: &str) -> Result<bool> {
    if name.contains('\0') {
        return Ok(false);
    }
    Ok(crate::stmt::stmt::<Bool>(
        "-- is_kind\n select exists (select from belay.kind where name = $1)",
    )
    .bind::<Text, _>(name)
    .get_result(conn)?)
}

/// All workers, living and lately dead, oldest first.
///
/// # Errors
/// Those of the database.
pub fn workers(conn: &mut PgConnection) -> Result<Vec<WorkerRow>> {
    Ok(diesel::sql_query(
        "-- workers
         select id, name, host, pid, version, queues, kinds, slots, running, lease_ms, started_at, beat_at, stopping, dead_at, key, tenants, drain
         from belay.worker order by id",
    )
    .load(conn)?)
}

/// Lines in which jobs wait that no living worker serves, as queue and kind; at most 20. Jobs of the kind `external` are never
/// claimed by a worker.
///
/// # Errors
/// Those of the database.
pub fn unserved_lines(conn: &mut PgConnection) -> Result<Vec<(String, String)>> {
    Ok(crate::stmt::stmt::<(Text, Text)>(
        "-- unserved_lines
         select distinct l.queue, l.kind from belay.line l
         where l.kind <> 'external' and not exists (select from belay.worker w where w.dead_at is null and not w.stopping
                             and l.kind = any (w.kinds) and (w.queues is null or l.queue = any (w.queues)))
           and exists (select from belay.job j where j.queue = l.queue and j.kind = l.kind and j.priority = l.priority
                         and j.ticket is not null and j.state = 'queued')
         order by 1, 2 limit 20",
    )
    .load(conn)?)
}

/// All tenants, oldest first.
///
/// # Errors
/// Those of the database.
pub fn tenants(conn: &mut PgConnection) -> Result<Vec<TenantRow>> {
    Ok(
        diesel::sql_query("-- tenants\n select id, name, created_at from belay.tenant order by id")
            .load(conn)?,
    )
}

/// Finds a tenant by name, number or 24-digit key, in this order.
///
/// # Errors
/// [`Error::Missing`].
pub fn find_tenant(conn: &mut PgConnection, word: &str) -> Result<TenantRow> {
    let number = word.parse::<crate::id::JobRef>().ok();
    let found: Vec<TenantRow> = diesel::sql_query(
        "-- find_tenant\n select id, name, created_at from belay.tenant where name = $1 or id = $2 order by name = $1 desc",
    )
    .bind::<Text, _>(word.replace('\0', ""))
    .bind::<Nullable<BigInt>, _>(number.map(|n| n.id))
    .load(conn)?;
    found
        .into_iter()
        .find(|t| t.name == word || number.is_some_and(|n| n.matches(t.created_at)))
        .ok_or_else(|| Error::missing(format!("tenant {word:?}")))
}

/// The tenant that an id names, as a number or as a 24-digit key, and never by its name.
///
/// # Errors
/// [`Error::Missing`].
pub fn tenant_by_id(conn: &mut PgConnection, id: &crate::id::JobRef) -> Result<TenantRow> {
    let found: Option<TenantRow> = diesel::sql_query(
        "-- tenant_by_id\n select id, name, created_at from belay.tenant where id = $1",
    )
    .bind::<BigInt, _>(id.id)
    .get_result(conn)
    .optional()?;
    found
        .filter(|tenant| id.matches(tenant.created_at))
        .ok_or_else(|| Error::missing(format!("tenant {id}")))
}

/// What time it is by the clock that decides.
///
/// # Errors
/// Those of the database.
pub fn now(conn: &mut PgConnection) -> Result<chrono::DateTime<chrono::Utc>> {
    Ok(
        crate::stmt::stmt::<diesel::sql_types::Timestamptz>("-- now\n select clock_timestamp()")
            .get_result(conn)?,
    )
}

/// The language in which the database writes its messages to this login.
///
/// # Errors
/// Those of the database.
pub fn message_language(conn: &mut PgConnection) -> Result<String> {
    Ok(
        crate::stmt::stmt::<Text>("-- message_language\n select current_setting('lc_messages')")
            .get_result(conn)?,
    )
}

/// Whether messages in a language are the ones this program knows.
#[must_use]
pub fn is_english(language: &str) -> bool {
    language.is_empty()
        || ["C", "POSIX", "en"].iter().any(|known| {
            language
                .strip_prefix(known)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic()))
        })
}

/// Ages, in seconds, of the oldest snapshot that holds back vacuum and of the oldest open writing transaction. Both slow a queue
/// down, and are the operator's first question.
///
/// # Errors
/// Those of the database.
pub fn database_ages(conn: &mut PgConnection) -> Result<(f64, f64)> {
    Ok(crate::stmt::stmt::<(Double, Double)>(
        "-- database_ages
         select coalesce(extract(epoch from max(clock_timestamp() - xact_start) filter (where backend_xmin is not null)), 0)::float8,
                coalesce(extract(epoch from max(clock_timestamp() - xact_start) filter (where backend_xid is not null)), 0)::float8
         from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'",
    )
    .get_result(conn)?)
}
