//! The SQL functions as the role `belay_client` has them: each works, and no table can be touched.

use belay_core::{JobState, id};
use belay_testkit::TestDb;

use crate::common::{as_client, count, job, make, refused, run, state, text, texts};

#[test]
fn enqueue_takes_every_argument_by_name() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    let plain = count(client, "select belay.enqueue('sleep')");
    let full = count(
        client,
        r#"select belay.enqueue(kind => 'sleep', payload => '{"a": 1}', queue => 'q', priority => 3, run_at => now() + interval '1 hour',
             max_attempts => 7, timeout_s => 60, unique_key => 'u', idempotency_key => 'i', tenant => 1, actor => 'billing')"#,
    );
    let (plain, full) = (job(conn, plain), job(conn, full));
    assert_eq!(
        (
            plain.kind.as_str(),
            plain.queue.as_str(),
            plain.priority,
            plain.max_attempts,
            plain.timeout_s
        ),
        ("sleep", "default", 5, 5, None)
    );
    assert_eq!(
        (plain.state, plain.payload.as_str()),
        (JobState::Queued, "{}")
    );
    assert_eq!(plain.created_by, text(client, "select session_user::text"));
    assert_eq!(plain.created_via, "sql");
    assert_eq!(
        (
            full.queue.as_str(),
            full.priority,
            full.max_attempts,
            full.timeout_s,
            full.state
        ),
        ("q", 3, 7, Some(60), JobState::Scheduled)
    );
    assert_eq!(
        (full.unique_key.as_deref(), full.created_by.as_str()),
        (Some("u"), "billing (login belay)")
    );
}

#[test]
fn enqueue_answers_the_job_that_holds_the_key() {
    let db = TestDb::new();
    let client = &mut as_client(&db);
    for key in ["unique_key", "idempotency_key"] {
        let ask = format!("select belay.enqueue('sleep', {key} => 'k')");
        let first = count(client, &ask);
        assert_eq!(count(client, &ask), first, "{key}");
    }
    let refusal = refused(
        client,
        "select belay.enqueue('noop', idempotency_key => 'k')",
    );
    assert_eq!(refusal.constraint, "belay_idempotency_conflict");
    assert!(refusal.message.contains("\"k\""), "{refusal:?}");
}

#[test]
fn enqueue_many_takes_a_list_and_answers_in_its_order() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    let answers = texts(
        client,
        r#"select concat_ws(' ', ord, id, existed) from belay.enqueue_many('[
             {"kind": "sleep", "payload": {"n": 1}, "unique_key": "z"},
             {"kind": "noop", "queue": "q", "priority": 0, "max_attempts": 2, "timeout_s": 5, "run_at": "2999-01-01T00:00:00Z"},
             {"kind": "sleep", "unique_key": "z"},
             {"kind": "sleep", "payload": null}
           ]', actor => 'loader') order by ord"#,
    );
    let ids: Vec<i64> = answers
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
        .collect();
    let expected = [
        format!("1 {} f", ids[0]),
        format!("2 {} f", ids[1]),
        format!("3 {} t", ids[0]),
        format!("4 {} f", ids[3]),
    ];
    assert_eq!(answers, expected);
    let second = job(conn, ids[1]);
    assert_eq!(
        (second.state, second.queue.as_str(), second.priority),
        (JobState::Scheduled, "q", 0)
    );
    assert_eq!(
        (
            second.max_attempts,
            second.timeout_s,
            second.created_by.as_str()
        ),
        (2, Some(5), "loader (login belay)")
    );
    assert_eq!(job(conn, ids[0]).payload, r#"{"n": 1}"#);
    assert_eq!(job(conn, ids[3]).payload, "null");
    assert_eq!(job(conn, ids[1]).payload, "{}");
    assert_eq!(
        count(client, "select count(*) from belay.enqueue_many('[]')"),
        0
    );
}

#[test]
fn cancel_answers_for_each_state_as_the_daemon_does() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    for (was, answer) in [
        (JobState::Open, "open>cancelled cancelled"),
        (JobState::Scheduled, "scheduled>cancelled cancelled"),
        (JobState::Queued, "queued>cancelled cancelled"),
        (JobState::Running, "running>cancelling cancelling"),
        (JobState::Suspended, "suspended>cancelling cancelling"),
        (JobState::Cancelling, "cancelling>cancelling already"),
        (JobState::Cancelled, "cancelled>cancelled already"),
        (JobState::Completed, "completed>completed refused"),
        (JobState::Failed, "failed>failed refused"),
    ] {
        let made = make(conn, was);
        let said = texts(
            client,
            &format!(
                "select concat(job, ' ', was, '>', state, ' ', outcome) from belay.cancel({}, 'enough', 'ann')",
                made.id
            ),
        );
        assert_eq!(said, [format!("{} {answer}", made.id)]);
        if matches!(was, JobState::Queued | JobState::Running) {
            let mark = job(conn, made.id).cancel().unwrap();
            assert_eq!(
                (
                    mark.actor.as_str(),
                    mark.interface.as_str(),
                    mark.reason.as_deref()
                ),
                ("ann (login belay)", "sql", Some("enough"))
            );
        }
    }
    assert_eq!(
        texts(
            client,
            "select concat(job, ' ', was, '>', state, ' ', outcome) from belay.cancel(999999)"
        ),
        ["999999 > missing"]
    );
    assert_eq!(
        texts(client, "select outcome from belay.cancel(null)"),
        ["missing"]
    );
}

#[test]
fn cancel_many_answers_each_id_in_request_order() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    let [queued, running, completed] = [JobState::Queued, JobState::Running, JobState::Completed]
        .map(|state| make(conn, state).id);
    let ask = format!(
        "select concat_ws(' ', ord, id, coalesce(was::text, '-') || '>' || coalesce(state::text, '-'), outcome)
         from belay.cancel_many(array[{running}, 999999, {completed}, {queued}, {running}, null, {queued}], 'why') order by ord"
    );
    assert_eq!(
        texts(client, &ask),
        [
            format!("1 {running} running>cancelling cancelling"),
            "2 999999 ->- missing".into(),
            format!("3 {completed} completed>completed refused"),
            format!("4 {queued} queued>cancelled cancelled"),
            format!("5 {running} cancelling>cancelling already"),
            "6 ->- missing".into(),
            format!("7 {queued} cancelled>cancelled already"),
        ]
    );
    for none in ["'{}'", "null"] {
        assert_eq!(
            count(
                client,
                &format!("select count(*) from belay.cancel_many({none})")
            ),
            0
        );
    }
}

#[test]
fn retry_makes_a_new_job_with_the_content_of_the_finished_one() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    let made = make(conn, JobState::Failed);
    let new = count(
        client,
        &format!("select belay.retry({}, 'fixed it', 'ann')", made.id),
    );
    let (old, new) = (job(conn, made.id), job(conn, new));
    assert_eq!(
        (old.state, new.state, new.retry_of),
        (JobState::Failed, JobState::Queued, Some(made.id))
    );
    assert_eq!(
        (&new.kind, &new.queue, &new.payload, new.max_attempts),
        (&old.kind, &old.queue, &old.payload, old.max_attempts)
    );
    assert_eq!(
        (
            new.created_by.as_str(),
            new.created_via.as_str(),
            new.attempt
        ),
        ("ann (login belay)", "sql", 0)
    );
}

#[test]
fn status_tells_what_is_known_in_every_state() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    for was in JobState::ALL {
        let made = make(conn, was);
        let stored = job(conn, made.id);
        let said: serde_json::Value = serde_json::from_str(&text(
            client,
            &format!("select to_jsonb(s)::text from belay.status({}) s", made.id),
        ))
        .unwrap();
        assert_eq!(said["job"], stored.id);
        assert_eq!(
            said["uid"],
            id::uid(stored.id, stored.created_at).to_string()
        );
        assert_eq!(said["key"], id::key(stored.id, stored.created_at));
        assert_eq!(said["state"], was.as_str());
        assert_eq!(
            (&said["attempt"], &said["error"]),
            (&stored.attempt.into(), &stored.last_error.clone().into())
        );
        assert_eq!(
            said["started_at"].is_null(),
            stored.started_at.is_none(),
            "{was}"
        );
        assert_eq!(said["finished_at"].is_null(), !was.is_terminal(), "{was}");
        let mark = stored.cancel();
        let of = |word: &str| said[word].as_str().map(ToOwned::to_owned);
        assert_eq!(
            of("cancel_actor"),
            mark.as_ref().map(|mark| mark.actor.clone())
        );
        assert_eq!(of("cancel_rung"), mark.and_then(|mark| mark.rung));
    }
    assert_eq!(
        count(client, "select count(*) from belay.status(999999)"),
        0
    );
}

/// Everything in the schema that is not a function of the public API is out of reach.
#[test]
fn the_role_can_touch_no_table_sequence_or_inner_function() {
    let db = TestDb::new();
    let (client, conn) = (&mut as_client(&db), &mut db.conn());
    let tables = texts(
        conn,
        "select oid::regclass::text from pg_class where relnamespace = 'belay'::regnamespace and relkind in ('r', 'p', 'v')",
    );
    assert!(tables.len() > 15, "{tables:?}");
    for table in tables {
        let table = if table.starts_with("belay.") {
            table
        } else {
            format!("belay.{table}")
        };
        for statement in [
            format!("select from {table}"),
            format!("insert into {table} default values"),
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("create index on {table} ((1))"),
        ] {
            let refusal = refused(client, &statement);
            assert!(
                refusal.message.starts_with("permission denied")
                    || refusal.message.starts_with("must be owner"),
                "{statement}: {refusal:?}"
            );
        }
    }
    for statement in [
        "update belay.job set priority = 1",
        "select nextval('belay.ticket')",
        "select last_value from belay.ticket",
        "create table belay.mine (x integer)",
        "create function belay.mine() returns integer language sql as 'select 1'",
        "select * from belay.op_cancel('{1}', null, 'x', 'x', 'x', 'any')",
        "select belay.ensure_partitions(1)",
        "drop function belay.cancel(bigint, text, text)",
        "listen belay; set role none; set role belay_client; select from belay.job",
    ] {
        let refusal = refused(client, statement);
        assert!(
            refusal.message.starts_with("permission denied")
                || refusal.message.starts_with("must be owner"),
            "{statement}: {refusal:?}"
        );
    }
}

#[test]
fn a_login_that_is_granted_the_role_has_its_functions() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let login = format!("login_of_{}", db.name());
    run(
        conn,
        &format!(
            "create role {login} login; grant belay_client to {login}; set session authorization {login}"
        ),
    );
    let id = count(conn, "select belay.enqueue('sleep')");
    assert_eq!(
        texts(conn, &format!("select outcome from belay.cancel({id})")),
        ["cancelled"]
    );
    let denied = refused(conn, "select from belay.job");
    run(
        conn,
        &format!("reset session authorization; drop role {login}"),
    );
    assert!(
        denied.message.starts_with("permission denied"),
        "{denied:?}"
    );
    assert_eq!(state(conn, id), JobState::Cancelled);
    let ended = job(conn, id);
    assert_eq!(
        ended.created_by, login,
        "without an actor the login is named"
    );
    assert_eq!(ended.cancel().unwrap().actor, login);
}
