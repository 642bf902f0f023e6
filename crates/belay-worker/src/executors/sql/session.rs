//! Sessions of the operator's role: what is found out about them, and how they begin and end a transaction.

use std::ffi::{CStr, CString};

use belay_core::{Db, Error, ops};

use super::fault::{Fault, connecting};
use super::libpq::{Answer, BIGINT, Connection, Param, TEXT};
use super::settings::Ready;
use super::signal::Backend;

/// What is said when the connection string does not say otherwise. A host that vanishes without a word is given up in seconds.
const DEFAULTS: [(&CStr, &CStr); 6] = [
    (c"connect_timeout", c"5"),
    (c"tcp_user_timeout", c"5000"),
    (c"keepalives", c"1"),
    (c"keepalives_idle", c"5"),
    (c"keepalives_interval", c"2"),
    (c"keepalives_count", c"3"),
];

/// Begins a transaction of our own, in which names mean what they should and the role is the one that logged in.
const OWN: &CStr = c"begin isolation level read committed; set local role none; set local search_path = pg_catalog, pg_temp; \
    set local statement_timeout = '10s'; set local lock_timeout = '2s'";

/// A role that the session may become, itself included, that could do more than a statement of a job may.
const TOO_MIGHTY: &CStr = c"select r.rolname::text, case when r.rolsuper then 'a superuser' \
      when r.rolreplication then 'allowed to replicate, and so to read everything' \
      when r.rolcreaterole then 'allowed to make roles, and so to become others' \
      else 'allowed to reach files or programs of the server' end, session_user::text \
    from pg_roles r where pg_has_role(session_user, r.oid, 'member') and (r.rolsuper or r.rolreplication or r.rolcreaterole \
      or r.rolname in ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')) \
    order by r.rolname <> session_user, not r.rolsuper, r.rolname limit 1";

/// The same for what is Belay's, where there is a Belay.
const TOO_CLOSE: &CStr = c"select r.rolname::text, case when n.nspowner = r.oid then 'owner of the schema belay' \
      when has_schema_privilege(r.oid, n.oid, 'create') then 'allowed to create things in the schema belay' \
      else 'allowed to touch the table belay.' || t.relname end, session_user::text \
    from pg_namespace n cross join pg_roles r left join lateral ( \
      select c.relname from pg_class c where c.relnamespace = n.oid and case \
        when c.relkind in ('r', 'p', 'v', 'm', 'f') then c.relowner = r.oid \
          or has_table_privilege(r.oid, c.oid, 'select, insert, update, delete, truncate, references, trigger') \
          or has_any_column_privilege(r.oid, c.oid, 'select, insert, update, references') \
        when c.relkind = 'S' then has_sequence_privilege(r.oid, c.oid, 'usage, select, update') else false end limit 1) t on true \
    where n.nspname = 'belay' and pg_has_role(session_user, r.oid, 'member') \
      and (n.nspowner = r.oid or has_schema_privilege(r.oid, n.oid, 'create') or t.relname is not null) \
    order by r.rolname <> session_user, r.rolname limit 1";

/// Whether the role may settle: one row with `t` or `f`, none when there is no such function.
const MAY_SETTLE: &CStr = c"select has_function_privilege(session_user, p.oid, 'execute') and has_schema_privilege(session_user, n.oid, 'usage'), \
      session_user::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'belay' and p.proname = 'sql_settle'";

/// Earlier attempts at the same job that are still at work. They can commit nothing any more, but they may keep rows that this attempt needs.
const END_OLDER: &CStr = c"select pg_terminate_backend(a.pid) from pg_stat_activity a where a.datname = current_database() \
    and a.usename = session_user and a.pid <> pg_backend_pid() and substring(a.application_name from $1)::bigint < $2";

/// Whose statement a session runs: job and fence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whose {
    pub(super) job: i64,
    pub(super) fence: i32,
}

/// What the application name of a session begins with; job and fence follow.
const NAME: &str = "belay sql";

/// Where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the database of the jobs.
    Same,
    /// Somewhere else.
    Other,
}

/// Connects as the operator's role.
pub(super) fn connect(ready: &Ready, name: &str) -> Result<Connection, Fault> {
    let name = CString::new(name).unwrap_or_default();
    let mut settings = DEFAULTS.to_vec();
    settings.push((c"dbname", ready.url.0.as_c_str()));
    settings.push((c"application_name", name.as_c_str()));
    Connection::open(&settings).map_err(|error| {
        // Here the whole of it may be said.
        tracing::debug!(
            why = error.message,
            "a statement of a job has no connection"
        );
        Fault::NoConnection(connecting(&error.message))
    })
}

/// The application name of the session of an attempt.
pub(super) fn name(whose: Whose) -> String {
    format!("{NAME} {} {}", whose.job, whose.fence)
}

/// Finds out where the session is, and refuses a role that could do more than a statement of a job may. Then ends the sessions of earlier
/// attempts at `whose` job.
pub(super) fn examine(
    conn: &mut Connection,
    db: &Db,
    whose: Option<Whose>,
) -> Result<Place, Fault> {
    conn.batch(OWN)?;
    for question in [TOO_MIGHTY, TOO_CLOSE] {
        let answer = conn.query(question, &[])?;
        if let [Some(role), Some(what), Some(login)] = columns(&answer) {
            return Err(Fault::Bad(too_much(role, what, login)));
        }
    }
    let place = place(conn, db)?;
    if place == Place::Same {
        let answer = conn.query(MAY_SETTLE, &[])?;
        match columns(&answer) {
            [Some(may), ..] if may == "t" => {}
            [_, Some(login)] => {
                return Err(Fault::Bad(format!(
                    "the role {login:?} of this kind may not end jobs in Belay's database; run: grant belay_sql to {}",
                    quoted(login)
                )));
            }
            _ => {
                return Err(Fault::Bad(
                    "Belay's database has no function belay.sql_settle; run `belay migrate`".into(),
                ));
            }
        }
    }
    if let Some(whose) = whose {
        end_older(conn, whose)?;
    }
    conn.batch(c"rollback")?;
    Ok(place)
}

fn columns(answer: &Answer) -> &[Option<String>] {
    answer.first.as_deref().unwrap_or_default()
}

fn too_much(role: &str, what: &str, login: &str) -> String {
    if role == login {
        format!(
            "the role {login:?} of this kind is {what}; give the kind a role of its own with no more rights than its statement needs"
        )
    } else {
        format!(
            "the role {login:?} of this kind is a member of {role:?}, which is {what}; give the kind a role of its own with no more rights than its statement needs"
        )
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether the session is in the database of the jobs. Proven by a lock on a number that only this call knows: who is refused it is
/// where it is held. Copies, standbys and restored backups of that database do not have it.
fn place(conn: &mut Connection, db: &Db) -> Result<Place, Fault> {
    let number = getrandom::u64()
        .map_err(|_| Fault::Daemon(Error::Busy("the system gives no random numbers".into())))?;
    let number = i64::from_ne_bytes(number.to_ne_bytes());
    let key = param(BIGINT, &number.to_string());
    let mut said = None;
    db.tx(|own| {
        if !ops::mark_database(own, number)? {
            return Err(Error::Busy("a random number was taken".into()));
        }
        said = Some(conn.query(
            c"select pg_try_advisory_xact_lock($1)",
            std::slice::from_ref(&key),
        ));
        Ok(())
    })?;
    match said {
        Some(Ok(answer)) => match columns(&answer) {
            [Some(free)] if free == "f" => Ok(Place::Same),
            _ => Ok(Place::Other),
        },
        Some(Err(error)) => Err(error.into()),
        None => Ok(Place::Other),
    }
}

/// A value for `$n`.
pub(super) fn param(oid: u32, text: &str) -> Param {
    Param {
        oid,
        text: CString::new(text).ok(),
    }
}

fn end_older(conn: &mut Connection, whose: Whose) -> Result<(), Fault> {
    let pattern = format!("^{NAME} {} ([0-9]+)$", whose.job);
    let fence = whose.fence.to_string();
    conn.query(END_OLDER, &[param(TEXT, &pattern), param(BIGINT, &fence)])?;
    Ok(())
}

/// Begins the transaction of the effect, and answers where it is. A savepoint stands at its beginning: whoever can release it is still in
/// this transaction.
pub(super) fn begin(conn: &mut Connection, ready: &Ready) -> Result<Backend, Fault> {
    let mut sql = String::from(
        "begin isolation level read committed read write; set local role none; set local search_path = pg_catalog, pg_temp; \
         select pid, extract(epoch from backend_start), extract(epoch from xact_start) from pg_stat_activity where pid = pg_backend_pid(); \
         set local role to default; set local search_path to default; set local standard_conforming_strings = on; \
         set local client_connection_check_interval = '2s'; set local idle_in_transaction_session_timeout = '60s'; \
         set local tcp_keepalives_idle = 10; set local tcp_keepalives_interval = 5; set local tcp_keepalives_count = 3; ",
    );
    for (name, time) in [
        ("statement_timeout", ready.statement_timeout),
        ("lock_timeout", ready.lock_timeout),
    ] {
        if let Some(ms) = time {
            sql.push_str(&format!("set local {name} = '{ms}ms'; "));
        }
    }
    sql.push_str("savepoint belay_effect");
    let answer = conn.batch(&CString::new(sql).unwrap_or_default())?;
    match columns(&answer) {
        [Some(pid), Some(started), Some(began)] => Ok(Backend {
            pid: pid.clone(),
            started: started.clone(),
            began: began.clone(),
        }),
        _ => Err(Fault::Bad(
            "the server does not say in which process the statement would run, so it could not be stopped".into(),
        )),
    }
}

/// How to interrupt a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interruption {
    /// The statement ends, its session stays.
    Cancel,
    /// The session ends.
    Terminate,
}

/// Interrupts the statement of that transaction, if it still runs; never anything else. Answers whether it was there.
pub(super) fn interrupt(
    conn: &mut Connection,
    backend: &Backend,
    how: Interruption,
) -> Result<bool, Fault> {
    let sql = match how {
        Interruption::Cancel => {
            c"select pg_cancel_backend(pid) from pg_stat_activity where pid = $1::int and extract(epoch from backend_start) = $2::numeric \
              and extract(epoch from xact_start) = $3::numeric"
        }
        Interruption::Terminate => {
            c"select pg_terminate_backend(pid) from pg_stat_activity where pid = $1::int and extract(epoch from backend_start) = $2::numeric \
              and extract(epoch from xact_start) = $3::numeric"
        }
    };
    let answer = conn.query(
        sql,
        &[
            param(TEXT, &backend.pid),
            param(TEXT, &backend.started),
            param(TEXT, &backend.began),
        ],
    )?;
    Ok(matches!(columns(&answer), [Some(done)] if done == "t"))
}

/// Connects and gets ready to interrupt something.
pub(super) fn second(ready: &Ready, whose: Whose) -> Result<Connection, Fault> {
    let mut conn = connect(ready, &format!("{NAME} stop {}", whose.job))?;
    conn.batch(OWN)?;
    Ok(conn)
}
