//! The kinds that nodes register, and the duties they share.

use std::time::Duration;

use belay_core::Error;
use belay_core::ops::{self, Actor, KindSpec, NewJob, Via};
use belay_core::query;
use belay_testkit::TestDb;

use crate::common::{count, overtaken, refused, register, run, texts};

fn kind(name: &str) -> KindSpec {
    KindSpec {
        name: name.into(),
        executor: "command".into(),
        queue: "default".into(),
        priority: 5,
        max_attempts: 5,
        timeout_s: None,
        can_suspend: false,
        ..KindSpec::new("", "")
    }
}

#[test]
fn kinds_are_registered_and_renewed_together() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let names = |conn: &mut _| -> Vec<String> {
        query::kinds(conn)
            .unwrap()
            .into_iter()
            .map(|kind| kind.name)
            .collect()
    };
    let built_in = names(conn);
    for name in ["noop", "sleep", "cancel_jobs", "retry_jobs"] {
        assert!(built_in.iter().any(|known| known == name), "{name}");
    }
    ops::register_kinds(conn, &[]).unwrap();
    assert_eq!(names(conn), built_in);
    ops::register_kinds(conn, &[kind("z:1"), kind("a.b-c_d")]).unwrap();
    let mut expected = built_in;
    expected.extend(["a.b-c_d".to_owned(), "z:1".to_owned()]);
    expected.sort();
    assert_eq!(names(conn), expected);
    let changed = KindSpec {
        executor: "http".into(),
        queue: "web".into(),
        priority: 0,
        max_attempts: 1000,
        timeout_s: Some(31_536_000),
        can_suspend: true,
        ..kind("z:1")
    };
    ops::register_kinds(conn, std::slice::from_ref(&changed)).unwrap();
    let now = query::kinds(conn).unwrap().pop().unwrap();
    assert_eq!(
        (
            now.executor.as_str(),
            now.queue.as_str(),
            now.priority,
            now.max_attempts,
            now.timeout_s,
            now.can_suspend
        ),
        ("http", "web", 0, 1000, Some(31_536_000), true)
    );
}

#[test]
fn a_value_out_of_range_is_refused_by_name_and_nothing_is_registered() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let mut wrongly_answered = Vec::new();
    for (field, wrong) in [
        (
            "queue",
            KindSpec {
                queue: "a b".into(),
                ..kind("k")
            },
        ),
        (
            "priority",
            KindSpec {
                priority: 10,
                ..kind("k")
            },
        ),
        (
            "max_attempts",
            KindSpec {
                max_attempts: 0,
                ..kind("k")
            },
        ),
        (
            "timeout_s",
            KindSpec {
                timeout_s: Some(0),
                ..kind("k")
            },
        ),
        ("kind", kind("")),
        ("kind", kind("a b")),
        ("kind", kind(&"k".repeat(101))),
        ("kind", kind("a\0")),
    ] {
        let answer = ops::register_kinds(conn, &[kind("fine"), wrong.clone()]);
        if !matches!(&answer, Err(Error::Invalid { field: said, .. }) if *said == field) {
            wrongly_answered.push(format!("{:.20} for {field}: {answer:?}", wrong.name));
        }
        let made = "select count(*) from belay.kind where name = 'fine' or name like 'k%'";
        assert_eq!(count(conn, made), 0);
    }
    assert_eq!(wrongly_answered, Vec::<String>::new());
}

#[test]
fn nodes_that_register_in_opposite_order_do_not_deadlock() {
    let db = TestDb::new();
    let mut first = db.conn();
    let kinds = ["a", "b", "c"].map(kind);
    let reversed: Vec<KindSpec> = kinds.iter().rev().cloned().collect();
    ops::register_kinds(&mut first, &kinds).unwrap();
    run(&mut first, "begin");
    ops::register_kinds(&mut first, &kinds).unwrap();
    overtaken(&db, &mut first, "commit", |conn| {
        ops::register_kinds(conn, &reversed)
    })
    .unwrap();
    let made = "select count(*) from belay.kind where name in ('a', 'b', 'c')";
    assert_eq!(count(&mut first, made), 3);
}

#[test]
fn a_duty_is_done_by_one_node_per_period() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let [one, two] = [register(conn), register(conn)];
    let minute = Duration::from_secs(60);
    assert!(ops::duty_due(conn, "prune", minute, one).unwrap());
    assert!(!ops::duty_due(conn, "prune", minute, one).unwrap());
    assert!(!ops::duty_due(conn, "prune", minute, two).unwrap());
    assert!(
        ops::duty_due(conn, "sweep", minute, two).unwrap(),
        "each duty has a period of its own"
    );
    run(
        conn,
        "update belay.duty set ran_at = ran_at - interval '61 s'",
    );
    assert!(ops::duty_due(conn, "prune", minute, two).unwrap());
    assert!(!ops::duty_due(conn, "prune", minute, one).unwrap());
    // A clock that was set back must not stop a duty for ever.
    run(
        conn,
        "update belay.duty set ran_at = now() + interval '1 day'",
    );
    assert!(ops::duty_due(conn, "prune", minute, one).unwrap());
}

#[test]
fn a_duty_whose_row_is_being_taken_is_not_due_for_another() {
    let db = TestDb::new();
    let mut first = db.conn();
    let worker = register(&mut first);
    let minute = Duration::from_secs(60);
    run(&mut first, "begin");
    assert!(ops::duty_due(&mut first, "prune", minute, worker).unwrap());
    let due = overtaken(&db, &mut first, "commit", |conn| {
        ops::duty_due(conn, "prune", minute, worker)
    })
    .unwrap();
    assert!(!due);
}

#[test]
fn a_kind_that_nothing_runs_waits_until_a_worker_has_one_of_that_name() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let executor = |conn: &mut _, name: &str| {
        let kinds = query::kinds(conn).unwrap();
        kinds
            .into_iter()
            .find(|kind| kind.name == name)
            .unwrap()
            .executor
    };
    for name in ["external", "prospecting"] {
        assert!(query::is_kind(conn, name).unwrap());
        assert_eq!(executor(conn, name), "none");
        ops::register_kinds(conn, &[kind(name)]).unwrap();
        assert_eq!(executor(conn, name), "command");
    }
    for name in ["nothing", "", "noop\0", "NOOP"] {
        assert!(!query::is_kind(conn, name).unwrap(), "{name:?}");
    }
}

const PLACE: &str = "select concat_ws(' ', k.has_line, j.queue, j.priority) from belay.kind k join belay.job j on j.kind = k.name
  where k.name = 'letter' order by j.id";

fn letter(conn: &mut diesel::PgConnection) {
    ops::enqueue(
        conn,
        1,
        &NewJob::new("letter"),
        None,
        false,
        &Actor::new("me", Via::Native),
    )
    .unwrap();
}

#[test]
fn the_usual_line_of_a_kind_is_noted_once_its_first_job_has_made_it() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let mut spec = KindSpec {
        queue: "mail".into(),
        priority: 2,
        ..kind("letter")
    };
    ops::register_kinds(conn, std::slice::from_ref(&spec)).unwrap();
    assert_eq!(ops::note_lines(conn).unwrap(), 0);
    letter(conn);
    assert_eq!(texts(conn, PLACE), ["f mail 2"]);
    assert_eq!(ops::note_lines(conn).unwrap(), 1);
    assert_eq!(ops::note_lines(conn).unwrap(), 0);
    letter(conn);
    assert_eq!(texts(conn, PLACE), ["t mail 2", "t mail 2"]);

    // Another usual line is looked for anew, and one that is there is known at once.
    spec.priority = 9;
    ops::register_kinds(conn, std::slice::from_ref(&spec)).unwrap();
    letter(conn);
    assert_eq!(texts(conn, PLACE), ["f mail 2", "f mail 2", "f mail 9"]);
    spec.priority = 2;
    ops::register_kinds(conn, std::slice::from_ref(&spec)).unwrap();
    letter(conn);
    assert_eq!(texts(conn, PLACE)[3], "t mail 2");
    run(
        conn,
        "update belay.kind set has_line = true where name = 'sleep'",
    );
    assert_eq!(
        texts(
            conn,
            "select has_line::text from belay.kind where name = 'sleep'"
        ),
        ["false"],
        "nobody can claim what is not so"
    );

    let refusal = refused(
        conn,
        "delete from belay.line where kind = 'letter' and priority = 2",
    );
    assert_eq!(refusal.constraint, "line_kept", "{refusal:?}");
    run(
        conn,
        "delete from belay.line where kind = 'letter' and priority = 9",
    );
}

/// A client holds the first job of a line in a transaction that is open. A node that makes this the usual line of its kind
/// does not wait for it.
#[test]
fn kinds_are_registered_beside_the_open_first_job_of_their_line() {
    let db = TestDb::new();
    let (mut client, mut node) = (db.conn(), db.conn());
    let mut spec = kind("letter");
    ops::register_kinds(&mut node, std::slice::from_ref(&spec)).unwrap();
    run(&mut client, "begin");
    let first = NewJob {
        queue: Some("mail".into()),
        ..NewJob::new("letter")
    };
    ops::enqueue(
        &mut client,
        1,
        &first,
        None,
        false,
        &Actor::new("me", Via::Native),
    )
    .unwrap();
    spec.queue = "mail".into();
    run(&mut node, "set lock_timeout = '100ms'");
    ops::register_kinds(&mut node, std::slice::from_ref(&spec)).unwrap();
    assert_eq!(ops::note_lines(&mut node).unwrap(), 0);
    run(&mut client, "commit");
    assert_eq!(ops::note_lines(&mut node).unwrap(), 1);
    letter(&mut node);
    assert_eq!(texts(&mut node, PLACE), ["t mail 5", "t mail 5"]);
}

/// Jobs carry its number without a foreign key.
#[test]
fn a_tenant_can_neither_go_nor_change_its_number() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let refusal = refused(conn, "delete from belay.tenant where id = 1");
    assert_eq!(
        refusal.message, "tenants are never removed, tenant: 1",
        "{refusal:?}"
    );
    run(
        conn,
        "alter table belay.tenant alter column id drop identity",
    );
    let refusal = refused(conn, "update belay.tenant set id = 2 where id = 1");
    assert_eq!(refusal.constraint, "tenant_number", "{refusal:?}");
}
