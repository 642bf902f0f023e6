//! Figures of the database that only the doctor asks for.

use belay_core::Result;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Text};

/// How the server is set up.
#[derive(Debug, QueryableByName)]
pub(super) struct Server {
    /// As 150004.
    #[diesel(sql_type = Integer)]
    pub(super) version: i32,
    /// As "15.4 (Debian 15.4-1)".
    #[diesel(sql_type = Text)]
    pub(super) version_text: String,
    #[diesel(sql_type = Bool)]
    pub(super) autovacuum: bool,
    #[diesel(sql_type = Bool)]
    pub(super) fsync: bool,
    /// Whether it is a standby, which takes no writes.
    #[diesel(sql_type = Bool)]
    pub(super) standby: bool,
}

pub(super) fn server(conn: &mut PgConnection) -> Result<Server> {
    Ok(diesel::sql_query(
        "-- doctor_server
         select current_setting('server_version_num')::integer as version, current_setting('server_version') as version_text,
           current_setting('autovacuum')::boolean as autovacuum, current_setting('fsync')::boolean as fsync, pg_is_in_recovery() as standby",
    )
    .get_result(conn)?)
}

/// How the hot table has been updated since the statistics were last reset.
#[derive(Debug, QueryableByName)]
pub(super) struct Updates {
    #[diesel(sql_type = BigInt)]
    pub(super) all: i64,
    /// Updates that touched no index.
    #[diesel(sql_type = BigInt)]
    pub(super) hot: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) dead_rows: i64,
}

pub(super) fn updates(conn: &mut PgConnection) -> Result<Updates> {
    Ok(diesel::sql_query(
        "-- doctor_updates
         select coalesce(sum(n_tup_upd), 0)::bigint as \"all\", coalesce(sum(n_tup_hot_upd), 0)::bigint as hot,
           coalesce(sum(n_dead_tup), 0)::bigint as dead_rows
         from pg_stat_user_tables where schemaname = 'belay' and relname = 'job'",
    )
    .get_result(conn)?)
}

/// Sessions that hold the oldest snapshots, for naming them.
#[derive(Debug, QueryableByName)]
pub(super) struct Holder {
    #[diesel(sql_type = Integer)]
    pub(super) pid: i32,
    #[diesel(sql_type = Text)]
    pub(super) who: String,
}

pub(super) fn oldest_holder(conn: &mut PgConnection) -> Result<Option<Holder>> {
    Ok(diesel::sql_query(
        "-- doctor_holder
         select pid, concat_ws(' ', usename::text, nullif(application_name, ''), state) as who
         from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
           and (backend_xmin is not null or backend_xid is not null)
         order by xact_start limit 1",
    )
    .get_result(conn)
    .optional()?)
}
