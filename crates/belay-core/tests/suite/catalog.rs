//! What the catalogue of a migrated database must say, whatever the migrations were.

use belay_core::JobState;
use belay_core::ops::{self, Beat, NewJob};
use belay_testkit::TestDb;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::common::{
    claim, count, enqueue_n, insert_row, new_job, refused, register, run, shape, texts,
};

const PUBLIC_API: [&str; 8] = [
    "cancel",
    "cancel_many",
    "enqueue",
    "enqueue_many",
    "job_key",
    "job_uid",
    "retry",
    "status",
];

/// A claim changes these. An index that names one of them, as a column or in its predicate, makes every claim a cold update.
#[test]
fn no_index_on_job_names_what_a_claim_changes() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let indexes = texts(
        conn,
        "select pg_get_indexdef(indexrelid) from pg_index where indrelid = 'belay.job'::regclass order by 1",
    );
    assert!(indexes.len() > 5, "{indexes:?}");
    for index in indexes {
        let (_, definition) = index.split_once(" USING ").unwrap();
        let words: Vec<&str> = definition
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .collect();
        for column in [
            "state",
            "worker",
            "attempt",
            "fence",
            "started_at",
            "claimed_at",
        ] {
            assert!(!words.contains(&column), "{index} names {column}");
        }
    }
}

#[test]
fn every_claim_is_a_hot_update() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let job = NewJob {
        payload: format!("{{\"fill\": \"{}\"}}", "x".repeat(200)),
        ..new_job()
    };
    enqueue_n(conn, &job, 1000);
    conn.begin_test_transaction().unwrap();
    let mut claimed = 0;
    while claimed < 1000 {
        let batch = claim(conn, worker, 50).len();
        assert_eq!(batch, 50);
        claimed += batch;
    }
    let updated = count(
        conn,
        "select pg_stat_get_xact_tuples_updated('belay.job'::regclass)",
    );
    let hot = count(
        conn,
        "select pg_stat_get_xact_tuples_hot_updated('belay.job'::regclass)",
    );
    assert_eq!(updated, 1000);
    assert!(hot >= 900, "{hot} of {updated} updates were HOT");
}

#[test]
fn every_heartbeat_is_a_hot_update() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    conn.begin_test_transaction().unwrap();
    for _ in 0..20 {
        assert!(ops::beat(conn, worker, Beat::default()).unwrap());
    }
    let hot = count(
        conn,
        "select pg_stat_get_xact_tuples_hot_updated('belay.worker'::regclass)",
    );
    assert!(hot >= 18, "{hot} of 20 heartbeats were HOT");
}

#[test]
fn the_tables_that_are_updated_in_place_leave_room_for_it() {
    let db = TestDb::new();
    let full = texts(
        &mut db.conn(),
        "select relname::text from pg_class where relnamespace = 'belay'::regnamespace
           and relname in ('job', 'worker', 'duty', 'job_progress')
           and coalesce(substring(array_to_string(reloptions, ',') from 'fillfactor=([0-9]+)')::integer, 100) not between 40 and 50",
    );
    assert_eq!(full, Vec::<String>::new());
}

/// Without one, a caller's search_path decides what a function means. The one exception runs for every new job, where a setting
/// would cost as much as the rest of it; it names everything with its schema.
#[test]
fn every_function_has_a_search_path_of_its_own_that_ends_in_pg_temp() {
    let db = TestDb::new();
    let without = texts(
        &mut db.conn(),
        "select p.proname::text from pg_proc p where p.pronamespace = 'belay'::regnamespace
           and not exists (select from unnest(p.proconfig) c where c in (
             'search_path=pg_catalog, belay, pg_temp', 'search_path=pg_catalog, pg_temp'))",
    );
    assert_eq!(without, ["job_birth"]);
}

/// In a session that puts operators and functions of its own before those of PostgreSQL.
#[test]
fn what_a_new_job_must_look_like_does_not_depend_on_the_search_path() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    run(
        conn,
        "create schema evil;
         create function evil.agreed(belay.job_state, belay.job_state) returns boolean language sql as 'select true';
         create operator evil.= (leftarg = belay.job_state, rightarg = belay.job_state, function = evil.agreed);
         create function evil.always(bigint, integer) returns boolean language sql as 'select true';
         create operator evil.> (leftarg = bigint, rightarg = integer, function = evil.always);
         create function evil.never(integer, integer) returns boolean language sql as 'select true';
         create operator evil.= (leftarg = integer, rightarg = integer, function = evil.never);
         create function evil.num_nonnulls(variadic \"any\") returns integer language internal as 'pg_num_nulls';
         set search_path = evil, pg_catalog",
    );
    for state in JobState::ALL {
        let accepted = [JobState::Open, JobState::Scheduled, JobState::Queued].contains(&state);
        run(conn, "begin");
        let answer = conn.batch_execute(&insert_row(&shape(state), state));
        run(conn, "rollback");
        assert_eq!(answer.is_ok(), accepted, "{state}: {answer:?}");
    }
    let mut held = shape(JobState::Queued);
    for (column, value) in &mut held {
        if *column == "worker" {
            *value = "7";
        }
    }
    let refusal = refused(conn, &insert_row(&held, JobState::Queued));
    assert_eq!(refusal.constraint, "job_shape", "{refusal:?}");
}

#[test]
fn only_the_public_api_runs_with_the_rights_of_the_owner() {
    let db = TestDb::new();
    let definers = texts(
        &mut db.conn(),
        "select distinct proname::text from pg_proc where pronamespace = 'belay'::regnamespace and prosecdef order by 1",
    );
    assert_eq!(
        definers,
        [
            "cancel",
            "cancel_many",
            "enqueue",
            "enqueue_many",
            "retry",
            "sql_settle",
            "status"
        ]
    );
}

#[test]
fn public_may_execute_nothing_belay_client_the_public_api_and_belay_sql_one_function() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let granted = |role: &str| {
        format!(
            "select distinct p.proname::text from pg_proc p where p.pronamespace = 'belay'::regnamespace
               and has_function_privilege('{role}', p.oid, 'execute') order by 1"
        )
    };
    assert_eq!(texts(conn, &granted("public")), Vec::<String>::new());
    assert_eq!(texts(conn, &granted("belay_client")), PUBLIC_API);
    assert_eq!(texts(conn, &granted("belay_sql")), ["sql_settle"]);
}

#[test]
fn belay_client_and_belay_sql_can_touch_no_table_and_own_nothing() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for role in ["belay_client", "belay_sql", "public"] {
        let touchable = texts(
            conn,
            &format!(
                "select c.relname::text from pg_class c where c.relnamespace = 'belay'::regnamespace and case
                   when c.relkind in ('r', 'p', 'v', 'm', 'f') then
                     has_table_privilege('{role}', c.oid, 'select, insert, update, delete, truncate, references, trigger')
                     or has_any_column_privilege('{role}', c.oid, 'select, insert, update, references')
                   when c.relkind = 'S' then has_sequence_privilege('{role}', c.oid, 'usage, select, update')
                   else false end"
            ),
        );
        assert_eq!(touchable, Vec::<String>::new(), "{role}");
        let rights = texts(
            conn,
            &format!(
                "select p from unnest('{{create, usage}}'::text[]) p where has_schema_privilege('{role}', 'belay', p)"
            ),
        );
        let expected: &[&str] = if role == "public" { &[] } else { &["usage"] };
        assert_eq!(rights, expected, "{role}");
    }
    let owned = count(
        conn,
        "select count(*) from pg_shdepend where refclassid = 'pg_authid'::regclass and refobjid in ('belay_client'::regrole, 'belay_sql'::regrole)
           and deptype = 'o' and dbid = (select oid from pg_database where datname = current_database())",
    );
    assert_eq!(owned, 0);
    assert_eq!(
        texts(
            conn,
            "select a from pg_roles r, unnest(array[case when rolsuper then 'super' end, case when rolcanlogin then 'login' end,
               case when rolcreaterole then 'createrole' end, case when rolcreatedb then 'createdb' end,
               case when rolbypassrls then 'bypassrls' end, case when rolreplication then 'replication' end]) a
             where r.rolname in ('belay_client', 'belay_sql') and a is not null"
        ),
        Vec::<String>::new()
    );
}

/// A DEFAULT partition would forbid DETACH .. CONCURRENTLY and lock every ATTACH.
#[test]
fn no_table_has_a_default_partition() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let parents = count(
        conn,
        "select count(*) from pg_partitioned_table p join pg_class c on c.oid = p.partrelid where c.relnamespace = 'belay'::regnamespace",
    );
    assert_eq!(parents, 2);
    let defaults = texts(
        conn,
        "select partrelid::regclass::text from pg_partitioned_table where partdefid <> 0",
    );
    assert_eq!(defaults, Vec::<String>::new());
}

/// Made apart and then attached, so they might lack what their parent has.
#[test]
fn partitions_carry_the_guards_and_indexes_of_their_parent() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let unlike = texts(
        conn,
        "select i.inhrelid::regclass::text from pg_inherits i
         where i.inhparent in ('belay.job_done'::regclass, 'belay.job_event'::regclass)
           and ((select count(*) from pg_index where indrelid = i.inhrelid) <> (select count(*) from pg_index where indrelid = i.inhparent)
             or (select count(*) from pg_trigger where tgrelid = i.inhrelid) <> (select count(*) from pg_trigger where tgrelid = i.inhparent)
             or (select count(*) from pg_constraint where conrelid = i.inhrelid and contype = 'c')
                <> (select count(*) from pg_constraint where conrelid = i.inhparent and contype = 'c'))",
    );
    assert_eq!(unlike, Vec::<String>::new());
}

#[test]
fn a_new_database_is_prepared_for_days_to_come() {
    let db = TestDb::unmigrated();
    belay_core::migrate::run(db.url()).unwrap();
    let conn = &mut db.conn();
    assert!(belay_core::query::tomorrow_is_prepared(conn).unwrap());
    assert!(belay_core::query::partitions_ahead(conn).unwrap() >= 13);
    assert_eq!(ops::ensure_partitions(conn, 14).unwrap(), 0);
    assert_eq!(ops::ensure_partitions(conn, 16).unwrap(), 2);
    run(
        conn,
        "do $$ begin execute 'drop table belay.job_done_' || to_char(now() at time zone 'UTC' + interval '1 day', 'YYYYMMDD'); end $$",
    );
    assert!(!belay_core::query::tomorrow_is_prepared(conn).unwrap());
    assert_eq!(belay_core::query::partitions_ahead(conn).unwrap(), 0);
    assert_eq!(ops::ensure_partitions(conn, 14).unwrap(), 1);
    assert!(belay_core::query::tomorrow_is_prepared(conn).unwrap());
}
