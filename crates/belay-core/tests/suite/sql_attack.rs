//! The SQL functions run with the owner's rights, so a caller must not be able to slip anything of its own under a name they use.

use belay_core::JobState;
use belay_testkit::TestDb;
use diesel::result::DatabaseErrorKind::ReadOnlyTransaction;

use crate::common::{as_client, count, facts, job, make, refused, run, state, text, texts};

const TABLES: [&str; 9] = [
    "job",
    "job_done",
    "job_event",
    "job_upload",
    "kind",
    "tenant",
    "line",
    "queue",
    "idempotency",
];

/// Functions and operators that the bodies use. Each of the caller's own versions refuses to work, so using one is noticed.
const TRAPS: &str = "
    create function now() returns timestamptz language plpgsql as $$ begin raise 'hijacked now'; end $$;
    create function length(text) returns integer language plpgsql as $$ begin raise 'hijacked length'; end $$;
    create function nextval(regclass) returns bigint language plpgsql as $$ begin raise 'hijacked nextval'; end $$;
    create function nextval(text) returns bigint language plpgsql as $$ begin raise 'hijacked nextval'; end $$;
    create function cardinality(bigint[]) returns integer language plpgsql as $$ begin raise 'hijacked cardinality'; end $$;
    create function jsonb_typeof(jsonb) returns text language plpgsql as $$ begin raise 'hijacked jsonb_typeof'; end $$;
    create function pg_notify(text, text) returns void language plpgsql as $$ begin raise 'hijacked pg_notify'; end $$;
    create function to_hex(bigint) returns text language plpgsql as $$ begin raise 'hijacked to_hex'; end $$;
    create function sha256(bytea) returns bytea language plpgsql as $$ begin raise 'hijacked sha256'; end $$;
    create function same(bigint, bigint) returns boolean language plpgsql as $$ begin raise 'hijacked ='; end $$;
    create function same(text, text) returns boolean language plpgsql as $$ begin raise 'hijacked ='; end $$;
    create operator = (leftarg = bigint, rightarg = bigint, function = same);
    create operator = (leftarg = text, rightarg = text, function = same);
";

#[test]
fn nothing_of_the_callers_own_is_used_in_place_of_what_is_meant() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    run(conn, "create schema evil authorization belay_client");
    let [queued, failed] = [JobState::Queued, JobState::Failed].map(|state| make(conn, state).id);
    let client = &mut as_client(&db);
    run(client, &format!("set search_path = evil; {TRAPS}"));
    for table in TABLES {
        run(
            client,
            &format!(
                "create table evil.{table} (id bigint); create temp table {table} (id bigint)"
            ),
        );
    }
    run(
        client,
        "create function pg_temp.now() returns timestamptz language plpgsql as $$ begin raise 'hijacked now'; end $$;
         set search_path = pg_temp, evil, pg_catalog",
    );
    // The traps work when they are in the way.
    let sprung = refused(client, "select now()");
    assert!(sprung.message.starts_with("hijacked"), "{sprung:?}");

    let made = count(
        client,
        "select belay.enqueue('sleep', idempotency_key => 'i', unique_key => 'u')",
    );
    let many = count(
        client,
        r#"select id from belay.enqueue_many('[{"kind": "sleep"}]')"#,
    );
    let outcome = |id: i64| format!("select outcome from belay.cancel_many(array[{id}])");
    assert_eq!(texts(client, &outcome(queued)), ["cancelled"]);
    assert_eq!(
        texts(client, &format!("select outcome from belay.cancel({made})")),
        ["cancelled"]
    );
    let again = count(client, &format!("select belay.retry({failed})"));
    assert_eq!(
        text(
            client,
            &format!("select state::text from belay.status({many})")
        ),
        "queued"
    );
    assert_eq!(
        text(client, &format!("select key from belay.status({many})")).len(),
        24
    );

    assert_eq!(state(conn, queued), JobState::Cancelled);
    assert_eq!(state(conn, made), JobState::Cancelled);
    assert_eq!(state(conn, many), JobState::Queued);
    assert_eq!(job(conn, again).retry_of, Some(failed));
    for table in TABLES {
        assert_eq!(
            count(conn, &format!("select count(*) from evil.{table}")),
            0,
            "{table}"
        );
        assert_eq!(
            count(client, &format!("select count(*) from pg_temp.{table}")),
            0,
            "{table}"
        );
    }
}

#[test]
fn the_callers_settings_do_not_change_what_is_stored() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    run(
        client,
        "set timezone = 'Asia/Kolkata'; set datestyle = 'SQL, DMY'; set intervalstyle = 'sql_standard'; set bytea_output = 'escape';
         set standard_conforming_strings = off; set enable_indexscan = off; set plan_cache_mode = force_custom_plan;
         set transform_null_equals = on; set array_nulls = off; set check_function_bodies = off",
    );
    let id = count(
        client,
        "select belay.enqueue('sleep', run_at => '2999-02-01 00:00:00+00')",
    );
    assert_eq!(
        job(conn, id).run_at.to_rfc3339(),
        "2999-02-01T00:00:00+00:00"
    );
    let key = text(client, &format!("select key from belay.status({id})"));
    let uid = text(client, &format!("select uid::text from belay.status({id})"));
    let stored = job(conn, id);
    assert_eq!((key, uid), (stored.key(), stored.uid().to_string()));
    assert_eq!(
        texts(client, &format!("select outcome from belay.cancel({id})")),
        ["cancelled"]
    );
}

#[test]
fn a_caller_in_a_read_only_transaction_is_refused_and_changes_nothing() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    let [queued, failed] = [JobState::Queued, JobState::Failed].map(|state| make(conn, state).id);
    let before = [queued, failed].map(|id| facts(conn, id));
    for call in [
        "belay.enqueue('sleep')".to_owned(),
        format!("belay.cancel({queued})"),
        format!("belay.retry({failed})"),
    ] {
        let refusal = refused(client, &format!("begin read only; select {call}"));
        run(client, "rollback");
        assert!(refusal.is(&ReadOnlyTransaction), "{call}: {refusal:?}");
    }
    run(client, "begin read only");
    let said = text(
        client,
        &format!("select state::text from belay.status({queued})"),
    );
    assert_eq!(said, "queued");
    assert_eq!([queued, failed].map(|id| facts(conn, id)), before);
}
