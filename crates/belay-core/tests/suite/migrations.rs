//! The migrations as a whole: forth and back, twice, by many at once, and on a database of a newer version.

use std::time::Duration;

use belay_core::Error;
use belay_core::migrate;
use belay_testkit::{TestDb, eventually};
use diesel::prelude::*;

use crate::common::{count, run, texts};

/// Everything the schema consists of, as text. Partitions are counted and not named: their names follow the calendar.
fn catalogue(conn: &mut PgConnection) -> Vec<String> {
    let parts = [
        "select 'column ' || c.relname || '.' || a.attname || ' ' || row_number() over (partition by a.attrelid order by a.attnum) || ' ' || format_type(a.atttypid, a.atttypmod)
            || ' ' || a.attnotnull || ' ' || a.attidentity::text || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '-')
            || ' ' || coalesce(col_description(c.oid, a.attnum), '')
         from pg_class c join pg_attribute a on a.attrelid = c.oid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
         where c.relnamespace = 'belay'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
           and a.attnum > 0 and not a.attisdropped",
        "select 'table ' || c.relname || ' ' || c.relkind::text || ' ' || coalesce(c.reloptions::text, '') || ' ' || coalesce(c.relacl::text, '')
            || ' ' || coalesce(obj_description(c.oid, 'pg_class'), '')
         from pg_class c where c.relnamespace = 'belay'::regnamespace and not c.relispartition",
        "select 'index ' || pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indrelid
         where c.relnamespace = 'belay'::regnamespace and not c.relispartition",
        "select 'constraint ' || c.relname || ' ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
         from pg_constraint k join pg_class c on c.oid = k.conrelid where c.relnamespace = 'belay'::regnamespace and not c.relispartition",
        "select 'trigger ' || pg_get_triggerdef(t.oid) from pg_trigger t join pg_class c on c.oid = t.tgrelid
         where c.relnamespace = 'belay'::regnamespace and not c.relispartition and not t.tgisinternal",
        "select 'function ' || pg_get_functiondef(p.oid) || ' ' || coalesce(p.proacl::text, '') || ' ' || coalesce(obj_description(p.oid, 'pg_proc'), '')
         from pg_proc p where p.pronamespace = 'belay'::regnamespace",
        "select 'sequence ' || sequencename || ' ' || data_type || ' ' || start_value || ' ' || increment_by || ' ' || cycle
         from pg_sequences where schemaname = 'belay'",
        "select 'label ' || t.typname || ' ' || e.enumsortorder || ' ' || e.enumlabel from pg_enum e join pg_type t on t.oid = e.enumtypid
         where t.typnamespace = 'belay'::regnamespace",
        "select 'partitions of ' || inhparent::regclass || ' ' || count(*) from pg_inherits
         where inhparent in (select partrelid from pg_partitioned_table) group by inhparent",
        "select 'row ' || t.name from belay.tenant t union all select 'row ' || k.name || k.executor from belay.kind k
         union all select 'row ' || q.name from belay.queue q",
    ];
    let mut all: Vec<String> = parts
        .iter()
        .flat_map(|part| {
            let found = texts(conn, part);
            assert!(!found.is_empty(), "nothing found by: {part}");
            found
        })
        .collect();
    all.sort();
    all
}

#[test]
fn up_down_and_up_again_is_the_same_schema() {
    let db = TestDb::unmigrated();
    let conn = &mut db.conn();
    let applied = migrate::run(db.url()).unwrap().applied;
    assert!(applied.len() >= 4, "{applied:?}");
    let first = catalogue(conn);

    migrate::revert_all(db.url()).unwrap();
    let left = texts(
        conn,
        "select relname::text from pg_class where relnamespace = 'belay'::regnamespace and relkind in ('r', 'p', 'v', 'S')
         union all select proname::text from pg_proc where pronamespace = 'belay'::regnamespace
         union all select typname::text from pg_type where typnamespace = 'belay'::regnamespace and typtype <> 'c' and typelem = 0",
    );
    assert_eq!(left, ["__diesel_schema_migrations"]);
    assert_eq!(
        count(
            conn,
            "select count(*) from belay.__diesel_schema_migrations"
        ),
        0
    );

    assert_eq!(migrate::run(db.url()).unwrap().applied, applied);
    let second = catalogue(conn);
    for (one, two) in first.iter().zip(&second) {
        assert_eq!(one, two);
    }
    assert_eq!(first.len(), second.len());
}

#[test]
fn a_second_run_does_nothing() {
    let db = TestDb::unmigrated();
    let conn = &mut db.conn();
    assert!(
        matches!(migrate::check(conn), Err(Error::Refused { message, .. }) if message.contains("belay migrate"))
    );
    assert!(!migrate::run(db.url()).unwrap().applied.is_empty());
    migrate::check(conn).unwrap();
    let before = catalogue(conn);
    assert_eq!(
        migrate::run(db.url()).unwrap().applied,
        Vec::<String>::new()
    );
    assert_eq!(catalogue(conn), before);
    migrate::check(conn).unwrap();
}

#[test]
fn nodes_that_start_at_once_take_turns() {
    let db = TestDb::unmigrated();
    let applied: Vec<usize> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| migrate::run(db.url()).unwrap().applied.len()))
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let mut others = applied.clone();
    others.sort_unstable();
    assert!(others[3] >= 4 && others[..3] == [0, 0, 0], "{applied:?}");
    migrate::check(&mut db.conn()).unwrap();
    // The lock is free again.
    assert_eq!(
        count(
            &mut db.conn(),
            "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"
        ),
        0
    );
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let db = TestDb::unmigrated();
    let conn = &mut db.conn();
    migrate::run(db.url()).unwrap();
    run(
        conn,
        "insert into belay.__diesel_schema_migrations (version) values ('29990101000001');
         create table belay.of_the_future (x integer)",
    );
    let before = catalogue(conn);
    let Err(Error::Refused { message, .. }) = migrate::run(db.url()) else {
        panic!("a newer database was accepted");
    };
    assert!(
        message.contains("newer version of belay") && message.contains("29990101000001"),
        "{message}"
    );
    assert_eq!(catalogue(conn), before);
    let Err(Error::Refused { message, .. }) = migrate::check(conn) else {
        panic!("a newer database passed the check");
    };
    assert!(message.contains("29990101000001"), "{message}");
}

#[test]
fn a_database_with_a_missing_migration_is_told_so_and_completed() {
    let db = TestDb::unmigrated();
    let conn = &mut db.conn();
    let applied = migrate::run(db.url()).unwrap().applied;
    let whole = catalogue(conn);
    diesel_migrations::MigrationHarness::revert_last_migration(
        {
            run(conn, "set search_path to belay, pg_catalog");
            conn
        },
        migrate::MIGRATIONS,
    )
    .unwrap();
    run(conn, "reset search_path");
    let Err(Error::Refused { message, .. }) = migrate::check(conn) else {
        panic!("a database without its last migration passed the check");
    };
    assert!(
        message.contains("lacks migration") && message.contains("belay migrate"),
        "{message}"
    );
    assert_eq!(
        migrate::run(db.url()).unwrap().applied,
        applied[applied.len() - 1..]
    );
    assert_eq!(catalogue(conn), whole);
}

/// A client holds jobs and then asks for a kind, while a migration holds the kinds and waits for the jobs.
#[test]
fn a_migration_that_meets_clients_is_rolled_back_and_can_be_tried_again() {
    let db = TestDb::unmigrated();
    let (mut client, mut watcher) = (db.conn(), db.conn());
    migrate::run(db.url()).unwrap();
    run(&mut client, "set search_path to belay, pg_catalog");
    // Back to before one that locks kinds and jobs.
    let mut reverted = 0;
    loop {
        let last = diesel_migrations::MigrationHarness::revert_last_migration(
            &mut client,
            migrate::MIGRATIONS,
        );
        reverted += 1;
        if last.unwrap().to_string() == "20261127000011" {
            break;
        }
    }
    // Whoever looks for a deadlock gives way, and the client does not look.
    run(
        &mut watcher,
        "do $$ begin execute format('alter database %I set deadlock_timeout = %L', current_database(), '4s'); end $$",
    );
    run(
        &mut client,
        "reset search_path; set deadlock_timeout = '1h'; begin; lock table belay.job in row exclusive mode",
    );
    let outcome = std::thread::scope(|scope| {
        let migration = scope.spawn(|| migrate::run(db.url()));
        eventually(Duration::from_secs(60), || {
            let waits = "select count(*) from pg_locks where relation = 'belay.job'::regclass and not granted";
            (count(&mut watcher, waits) > 0).then_some(())
        });
        run(&mut client, "select count(*) from belay.kind; commit");
        migration.join().unwrap()
    });
    let error = outcome.unwrap_err();
    assert!(
        matches!(&error, Error::Busy(message) if message.contains("deadlock detected")),
        "{error:?}"
    );
    assert_eq!(migrate::run(db.url()).unwrap().applied.len(), reverted);
    migrate::check(&mut watcher).unwrap();
}

#[test]
fn a_database_that_is_away_is_said_to_be_unreachable() {
    let error = migrate::run("postgres://nobody@/none?host=/nonexistent&port=1").unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
}
