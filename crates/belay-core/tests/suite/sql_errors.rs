//! The SQL functions with wrong arguments: each says what is wrong, with the value, and nothing changes.

use belay_core::query::{self, JobFilter};
use belay_core::{JobState, ops};
use belay_testkit::TestDb;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::DatabaseErrorKind::{self, CheckViolation, ForeignKeyViolation, Unknown};

use crate::common::{as_client, count, make, make_from, me, new_job, refused, run, with_key};

#[track_caller]
fn is_refused(client: &mut PgConnection, call: &str, kind: &DatabaseErrorKind, parts: &[&str]) {
    let refusal = refused(client, &format!("select {call}"));
    assert!(refusal.is(kind), "{call}: {refusal:?}");
    for part in parts {
        assert!(
            refusal.message.contains(part),
            "{call} does not say {part:?}: {refusal:?}"
        );
    }
}

#[test]
fn enqueue_names_the_value_that_is_wrong() {
    let db = TestDb::new();
    let client = &mut as_client(&db);
    let call = |arguments: &str| format!("belay.enqueue({arguments})");
    for (arguments, kind, parts) in [
        (
            "'unheard-of'",
            ForeignKeyViolation,
            vec!["unknown kind \"unheard-of\""],
        ),
        ("null", ForeignKeyViolation, vec!["unknown kind"]),
        (
            "'sleep', tenant => 99",
            ForeignKeyViolation,
            vec!["unknown tenant 99"],
        ),
        (
            "'sleep', tenant => null",
            ForeignKeyViolation,
            vec!["unknown tenant"],
        ),
        ("'sleep', null", CheckViolation, vec!["the payload is null"]),
        (
            "'sleep', queue => ''",
            CheckViolation,
            vec!["queue name \"\"", "1 to 100"],
        ),
        (
            "'sleep', queue => 'a b'",
            CheckViolation,
            vec!["queue name \"a b\""],
        ),
        (
            "'sleep', priority => 10",
            CheckViolation,
            vec!["priority 10", "0 (first) to 9 (last)"],
        ),
        (
            "'sleep', priority => -1",
            CheckViolation,
            vec!["priority -1"],
        ),
        (
            "'sleep', priority => 99999",
            CheckViolation,
            vec!["priority 99999"],
        ),
        (
            "'sleep', max_attempts => 0",
            CheckViolation,
            vec!["max_attempts", "1 to 1000"],
        ),
        (
            "'sleep', max_attempts => 1001",
            CheckViolation,
            vec!["max_attempts is 1001"],
        ),
        (
            "'sleep', max_attempts => 99999",
            CheckViolation,
            vec!["max_attempts 99999"],
        ),
        (
            "'sleep', timeout_s => 0",
            CheckViolation,
            vec!["timeout_s is 0"],
        ),
        (
            "'sleep', timeout_s => 31536001",
            CheckViolation,
            vec!["timeout_s is 31536001"],
        ),
        (
            "'sleep', unique_key => ''",
            CheckViolation,
            vec!["unique_key", "1 to 255"],
        ),
        (
            "'sleep', unique_key => repeat('k', 256)",
            CheckViolation,
            vec!["256 characters"],
        ),
        (
            "'sleep', idempotency_key => ''",
            CheckViolation,
            vec!["idempotency key", "1 to 255"],
        ),
        (
            "'sleep', idempotency_key => repeat('k', 256)",
            CheckViolation,
            vec!["256 characters"],
        ),
        (
            "'sleep', actor => repeat('a', 201)",
            CheckViolation,
            vec!["actor has 201 characters", "200"],
        ),
        (
            "'sleep', to_jsonb(repeat('x', 1048577))",
            CheckViolation,
            vec!["payload", "1048576"],
        ),
    ] {
        is_refused(client, &call(arguments), &kind, &parts);
    }
    let conn = &mut db.conn();
    for table in ["job", "line", "idempotency"] {
        assert_eq!(
            count(conn, &format!("select count(*) from belay.{table}")),
            0,
            "{table}"
        );
    }
}

#[test]
fn an_unknown_kind_or_tenant_says_what_to_do() {
    let db = TestDb::new();
    let client = &mut as_client(&db);
    for call in ["'unheard-of'", "'sleep', tenant => 99"] {
        match client.batch_execute(&format!("select belay.enqueue({call})")) {
            Err(diesel::result::Error::DatabaseError(_, info)) => {
                assert!(
                    info.hint()
                        .is_some_and(|hint| hint.contains("belay") || hint.contains("daemon")),
                    "{:?}",
                    info.hint()
                );
            }
            other => panic!("{call}: {other:?}"),
        }
    }
}

#[test]
fn enqueue_many_names_what_is_wrong_in_the_list() {
    let db = TestDb::new();
    let client = &mut as_client(&db);
    for (jobs, kind, parts) in [
        ("null", CheckViolation, vec!["JSON array"]),
        ("'{}'", CheckViolation, vec!["JSON array"]),
        ("'\"sleep\"'", CheckViolation, vec!["JSON array"]),
        ("'[{}]'", CheckViolation, vec!["\"kind\""]),
        (
            "'[{\"kind\": \"sleep\"}, {\"kind\": null}]'",
            CheckViolation,
            vec!["\"kind\""],
        ),
        (
            "'[{\"kind\": \"sleep\"}, {\"kind\": \"unheard-of\"}]'",
            ForeignKeyViolation,
            vec!["unheard-of"],
        ),
        (
            "'[{\"kind\": \"sleep\", \"priority\": 10}]'",
            CheckViolation,
            vec!["priority 10"],
        ),
        (
            "'[{\"kind\": \"sleep\", \"priority\": \"high\"}]'",
            Unknown,
            vec!["integer", "high"],
        ),
        (
            "'[{\"kind\": \"sleep\", \"run_at\": \"soon\"}]'",
            Unknown,
            vec!["timestamp", "soon"],
        ),
        (
            "'[{\"kind\": \"sleep\", \"max_attempts\": 0}]'",
            CheckViolation,
            vec!["max_attempts"],
        ),
        (
            "'[{\"kind\": \"sleep\", \"timeout_s\": -1}]'",
            CheckViolation,
            vec!["timeout_s"],
        ),
        (
            "'[{\"kind\": \"sleep\", \"unique_key\": \"\"}]'",
            CheckViolation,
            vec!["unique_key"],
        ),
        (
            "(select jsonb_agg(jsonb_build_object('kind', 'sleep')) from generate_series(1, 10001))",
            CheckViolation,
            vec!["10001 jobs", "10000"],
        ),
    ] {
        is_refused(
            client,
            &format!("belay.enqueue_many({jobs})"),
            &kind,
            &parts,
        );
    }
    for member in ["runat", "idempotency_key", "tenant", "actor", ""] {
        is_refused(
            client,
            &format!(
                "belay.enqueue_many('[{{\"kind\": \"sleep\"}}, {{\"kind\": \"sleep\", \"{member}\": 1}}]')"
            ),
            &CheckViolation,
            &["jobs[1]", &format!("unknown member \"{member}\"")],
        );
    }
    is_refused(
        client,
        "belay.enqueue_many('[{\"kind\": \"sleep\"}]', tenant => 99)",
        &ForeignKeyViolation,
        &["unknown tenant 99"],
    );
    assert_eq!(count(&mut db.conn(), "select count(*) from belay.job"), 0);
}

/// An element that is no object is the caller's mistake, and the message should not be about the inside of the function.
#[test]
fn enqueue_many_says_that_an_element_is_no_object() {
    let db = TestDb::new();
    let client = &mut as_client(&db);
    for jobs in ["[1]", "[null]", "[\"sleep\"]", "[[]]"] {
        is_refused(
            client,
            &format!("belay.enqueue_many('{jobs}')"),
            &CheckViolation,
            &["object"],
        );
    }
}

#[test]
fn cancel_names_the_limit_that_is_passed() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    let id = make(conn, JobState::Queued).id;
    for (call, parts) in [
        (
            format!("belay.cancel({id}, repeat('r', 1001))"),
            ["reason has 1001 characters", "1000"],
        ),
        (
            format!("belay.cancel({id}, 'r', repeat('a', 201))"),
            ["actor has 201 characters", "200"],
        ),
        (
            "belay.cancel_many(array(select g from generate_series(1, 501) g))".into(),
            ["501 ids", "500"],
        ),
    ] {
        is_refused(client, &call, &CheckViolation, &parts);
    }
    assert_eq!(count(conn, "select count(*) from belay.job_event"), 0);
}

#[test]
fn retry_says_why_it_cannot_be() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    let running = make(conn, JobState::Running).id;
    let deleted = make(conn, JobState::Completed).id;
    conn.transaction(|conn| ops::delete_data(conn, None, deleted, &me(), None))
        .unwrap();
    let keyed = make_from(conn, JobState::Failed, with_key("k")).id;
    ops::enqueue(conn, 1, &with_key("k"), None, false, &me()).unwrap();
    let before = count(conn, "select count(*) from belay.job");
    for (id, why) in [
        (999_999, "there is no such job"),
        (running, "it has not finished, it is running"),
        (deleted, "its data was deleted"),
        (keyed, "an unfinished job holds its unique key"),
    ] {
        let whole = format!("job {id} cannot be retried: {why}");
        is_refused(client, &format!("belay.retry({id})"), &Unknown, &[&whole]);
    }
    let done = make(conn, JobState::Failed).id;
    is_refused(
        client,
        &format!("belay.retry({done}, repeat('r', 1001))"),
        &CheckViolation,
        &["reason has 1001"],
    );
    assert_eq!(count(conn, "select count(*) from belay.job"), before);
}

/// Anybody who may enqueue could otherwise make every list of jobs fail.
#[test]
fn a_time_that_no_program_can_read_is_refused_or_can_be_read_all_the_same() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    for at in [
        "infinity",
        "-infinity",
        "294276-12-31 00:00:00+00",
        "4713-01-01 00:00:00+00 BC",
    ] {
        let call = format!("select belay.enqueue('sleep', run_at => '{at}')");
        match client.batch_execute(&call) {
            Err(diesel::result::Error::DatabaseError(_, info)) => assert!(
                info.message().contains("run_at"),
                "{at}: {}",
                info.message()
            ),
            Err(other) => panic!("{at}: {other:?}"),
            Ok(()) => {
                let listed = query::list(conn, &JobFilter::default(), 10);
                assert!(listed.is_ok(), "after run_at {at}: {listed:?}");
            }
        }
        run(conn, "delete from belay.job");
    }
    ops::enqueue(conn, 1, &new_job(), None, false, &me()).unwrap();
    assert_eq!(
        query::list(conn, &JobFilter::default(), 10)
            .unwrap()
            .jobs
            .len(),
        1
    );
}

#[test]
fn a_payload_is_at_most_64_deep() {
    let db = TestDb::new();
    let client = &mut as_client(&db);
    let nested = |depth: usize| {
        format!(
            "belay.enqueue('sleep', '{}{}')",
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    for depth in [65, 5000] {
        is_refused(
            client,
            &nested(depth),
            &CheckViolation,
            &["more than 64 deep"],
        );
    }
    assert!(count(client, &format!("select {}", nested(64))) > 0);
}
